// The list of keyboard shortcuts, as a native dialog: the browser keeps the focus inside and Escape closes it.

import { X } from "lucide-react";
import { IconButton } from "~/shared/button";
import { useKeys } from "~/shared/keys";

const DIALOG_ID = "shortcuts";

const ROWS: readonly (readonly [keys: readonly string[], what: string])[] = [
  [["j", "↓"], "Next row"],
  [["k", "↑"], "Previous row"],
  [["Enter"], "Open it"],
  [["[", "]"], "On its page: the previous, the next one"],
  [["/"], "Search"],
  [["e", "E"], "In a log: the next error, the one before"],
  [["w"], "Where is … in all environments"],
  [["Esc"], "Leave the search, then clear the filters"],
  [["n"], "Show new deployments"],
  [["f"], "Show on a wall, and back"],
  [["?"], "This list"],
];

/** Opens the list. */
export function openShortcuts(): void {
  const dialog = document.getElementById(DIALOG_ID);
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
}

/** The dialog; it is in the document once. */
export function Shortcuts() {
  useKeys({ "?": openShortcuts });
  const close = () => {
    const dialog = document.getElementById(DIALOG_ID);
    if (dialog instanceof HTMLDialogElement) dialog.close();
  };
  return (
    <dialog
      id={DIALOG_ID}
      aria-labelledby="shortcuts-title"
      className="m-auto w-[min(24rem,calc(100vw-2rem))] rounded-xl border border-line bg-surface p-0 text-ink shadow-float backdrop:bg-black/40"
    >
      <div className="flex items-center justify-between border-b border-line px-5 py-3">
        <h2 id="shortcuts-title" className="font-semibold">
          Keyboard shortcuts
        </h2>
        <IconButton label="Close" onClick={close}>
          <X size={16} aria-hidden="true" />
        </IconButton>
      </div>
      <dl className="px-5 py-3">
        {ROWS.map(([keys, what]) => (
          <div key={what} className="flex items-center justify-between py-1.5">
            <dt className="text-soft">{what}</dt>
            <dd className="flex gap-1">
              {keys.map((key) => (
                <kbd
                  key={key}
                  className="min-w-6 rounded border border-edge bg-sunken px-1.5 text-center font-mono text-xs leading-5"
                >
                  {key}
                </kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </dialog>
  );
}
