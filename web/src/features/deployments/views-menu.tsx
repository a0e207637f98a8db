// The button of saved views: choosing one, keeping the present one under a name, forgetting one.

import { clsx } from "clsx";
import { Bookmark, X } from "lucide-react";
import { Popover } from "radix-ui";
import { type FormEvent, useState } from "react";
import { buttonClass, IconButton } from "~/shared/button";
import { CopyIcon } from "~/shared/copy";
import { FLOAT_CLASS } from "~/shared/menu";
import { type BoardSearch, readSearch } from "./search";
import {
  keepViews,
  NAME_LIMIT,
  queryOf,
  type SavedView,
  useSavedViews,
  withoutView,
  withView,
} from "./views";

/** The menu of saved views. */
export function ViewsMenu({
  search,
  onChange,
}: {
  search: BoardSearch;
  onChange: (next: BoardSearch) => void;
}) {
  const [open, setOpen] = useState(false);
  const views = useSavedViews();
  const query = queryOf(search);
  const here = views.find((view) => view.query === query);
  const choose = (view: SavedView) => {
    const { limit, wall } = search;
    const chosen = readSearch(Object.fromEntries(new URLSearchParams(view.query)));
    onChange({ ...chosen, ...(limit && { limit }), ...(wall && { wall }) });
    setOpen(false);
  };
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger className={buttonClass("ghost", clsx("max-w-48 px-2.5", here && "text-ink"))}>
        <Bookmark
          size={14}
          aria-hidden="true"
          className={clsx("shrink-0", here && "fill-current text-accent")}
        />
        {/* On a phone the word has no room beside the facets; its place is taken by the name, if there is one. */}
        <span className={clsx("truncate", !here && "max-sm:sr-only")}>{here?.name ?? "Views"}</span>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="end"
          sideOffset={6}
          collisionPadding={8}
          aria-label="Saved views"
          className={clsx(FLOAT_CLASS, "w-72")}
        >
          {views.length === 0 ? (
            <p className="px-2 py-2 text-soft">
              Set filters, then keep them here under a name. Views stay in this browser; the address shares
              them.
            </p>
          ) : (
            <ul className="max-h-72 overflow-y-auto overscroll-contain">
              {views.map((view) => (
                <ViewItem key={view.name} view={view} current={view === here} onChoose={() => choose(view)} />
              ))}
            </ul>
          )}
          {query !== "" && !here && (
            <SaveForm onSave={(name) => keepViews((held) => withView(held, name, query))} />
          )}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

function ViewItem({ view, current, onChoose }: { view: SavedView; current: boolean; onChoose: () => void }) {
  return (
    <li className="flex items-center gap-0.5 rounded-md pr-1 hover:bg-quiet-tint has-focus-visible:bg-quiet-tint">
      <button
        type="button"
        aria-pressed={current}
        onClick={onChoose}
        className="flex min-h-8 min-w-0 grow flex-col items-start justify-center rounded-md px-2 py-1 text-left outline-none focus-visible:outline-2 focus-visible:-outline-offset-2 focus-visible:outline-accent"
      >
        <span className={clsx("w-full truncate", current && "font-medium text-accent")}>{view.name}</span>
        <span className="w-full truncate font-mono text-2xs text-faint">
          {decodeURIComponent(view.query.slice(1)).replaceAll("&", "  ")}
        </span>
      </button>
      <CopyIcon
        text={location.origin + location.pathname + view.query}
        what={`the address of ${view.name}`}
      />
      <IconButton
        label={`Forget ${view.name}`}
        onClick={() => keepViews((held) => withoutView(held, view.name))}
      >
        <X size={14} aria-hidden="true" />
      </IconButton>
    </li>
  );
}

function SaveForm({ onSave }: { onSave: (name: string) => void }) {
  const [name, setName] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim()) onSave(name);
  };
  return (
    <form onSubmit={submit} className="mt-1 flex gap-1.5 border-t border-line p-1 pt-2">
      <input
        value={name}
        maxLength={NAME_LIMIT}
        onChange={(event) => setName(event.target.value)}
        aria-label="Name of this view"
        placeholder="Name of this view"
        className="h-8 min-w-0 grow rounded-md border border-edge bg-surface px-2 outline-none placeholder:text-faint focus-visible:outline-2 focus-visible:-outline-offset-1 focus-visible:outline-accent"
      />
      <button type="submit" disabled={!name.trim()} className={buttonClass("primary")}>
        Save
      </button>
    </form>
  );
}
