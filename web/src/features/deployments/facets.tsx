// The parts a facet is made of: its chip, and the list to pick one value from. They know nothing of what they
// filter.

import { clsx } from "clsx";
import { Check, Plus, X } from "lucide-react";
import { Popover } from "radix-ui";
import { type ComponentProps, type ReactNode, useState } from "react";
import { FLOAT_CLASS } from "~/shared/menu";

/** The most options that are listed at once. */
const OPTIONS_LIMIT = 100;

/** A facet's chip: the trigger inside, and × once it narrows something. */
export function FacetChip({
  name,
  value,
  onClear,
  children,
}: {
  name: string;
  value: string;
  onClear: () => void;
  children: ReactNode;
}) {
  return (
    <div
      data-facet={name}
      className={clsx(
        "flex h-8 max-w-full items-stretch overflow-hidden rounded-md border text-cell has-focus-visible:outline-2 has-focus-visible:outline-accent",
        value ? "border-edge bg-surface" : "border-dashed border-edge",
      )}
    >
      {children}
      {value && (
        <button
          type="button"
          aria-label={`Remove the filter ${name}: ${value}`}
          onClick={onClear}
          className="flex w-7 items-center justify-center border-l border-line text-faint outline-none hover:bg-quiet-tint hover:text-ink"
        >
          <X size={13} aria-hidden="true" />
        </button>
      )}
    </div>
  );
}

/** What opens a facet. */
export function ChipTrigger({
  name,
  value,
  ...rest
}: ComponentProps<"button"> & { name: string; value: string }) {
  return (
    <button
      type="button"
      {...rest}
      className="flex min-w-0 items-center gap-1.5 px-2.5 outline-none hover:bg-quiet-tint data-[state=open]:bg-quiet-tint"
    >
      {value ? (
        <>
          <span className="text-faint">{name}</span>
          <span className="max-w-48 truncate font-medium">{value}</span>
        </>
      ) : (
        <>
          <Plus size={13} aria-hidden="true" className="text-faint max-sm:hidden" />
          <span className="text-soft">{name}</span>
        </>
      )}
    </button>
  );
}

/** A panel that opens under a chip. */
export function ChipPanel({
  name,
  value,
  onClear,
  children,
}: {
  name: string;
  value: string;
  onClear: () => void;
  children: (close: () => void) => ReactNode;
}) {
  const [open, setOpen] = useState(false);
  return (
    <FacetChip name={name} value={value} onClear={onClear}>
      <Popover.Root open={open} onOpenChange={setOpen}>
        <Popover.Trigger asChild>
          <ChipTrigger name={name} value={value} />
        </Popover.Trigger>
        <Popover.Portal>
          <Popover.Content
            align="start"
            sideOffset={6}
            collisionPadding={8}
            aria-label={name}
            className={clsx(FLOAT_CLASS, "w-64")}
          >
            {children(() => setOpen(false))}
          </Popover.Content>
        </Popover.Portal>
      </Popover.Root>
    </FacetChip>
  );
}

/** A facet of which one value is picked, by typing or from a list; `free` takes what is not listed, too. */
export function PickFacet({
  name,
  value,
  options,
  onChange,
  free = false,
}: {
  name: string;
  value: string;
  options: () => readonly string[];
  onChange: (value: string) => void;
  free?: boolean;
}) {
  return (
    <ChipPanel name={name} value={value} onClear={() => onChange("")}>
      {(close) => (
        <PickList
          name={name}
          value={value}
          options={options()}
          free={free}
          onPick={(picked) => {
            onChange(picked);
            close();
          }}
        />
      )}
    </ChipPanel>
  );
}

function PickList({
  name,
  value,
  options,
  free,
  onPick,
}: {
  name: string;
  value: string;
  options: readonly string[];
  free: boolean;
  onPick: (value: string) => void;
}) {
  const [text, setText] = useState("");
  const wanted = text.trim();
  const found = options
    .filter((option) => option.toLowerCase().includes(wanted.toLowerCase()))
    .slice(0, OPTIONS_LIMIT);
  const listed = free && wanted && !found.includes(wanted) ? [...found, wanted] : found;
  return (
    <>
      <input
        value={text}
        aria-label={`Find: ${name}`}
        placeholder={free ? "Find or type a name" : "Find"}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          const [first] = listed;
          if (event.key === "Enter" && wanted && first !== undefined) onPick(first);
        }}
        className="mb-1 h-8 w-full rounded-md bg-sunken px-2 outline-none placeholder:text-faint focus-visible:outline-2 focus-visible:-outline-offset-2 focus-visible:outline-accent"
      />
      <ul className="max-h-72 overflow-y-auto overscroll-contain">
        {listed.map((option) => (
          <li key={option}>
            <button
              type="button"
              aria-pressed={option === value}
              onClick={() => onPick(option === value ? "" : option)}
              className="flex min-h-8 w-full items-center gap-2 rounded-md px-2 text-left outline-none hover:bg-quiet-tint focus-visible:bg-quiet-tint"
            >
              <span className="grow truncate">{option}</span>
              {option === value && <Check size={14} className="shrink-0 text-accent" aria-hidden="true" />}
            </button>
          </li>
        ))}
        {listed.length === 0 && <li className="px-2 py-1.5 text-faint">None found</li>}
      </ul>
    </>
  );
}
