// A box to type into that answers a while after the last letter. What is searched, and where it is written down,
// is whoever's who puts it there.

import { clsx } from "clsx";
import { type LucideIcon, Search } from "lucide-react";
import { type RefObject, useEffect, useState } from "react";

/** How long typing rests before it is told. */
const TYPING_MS = 250;

/** A search box; Enter tells at once, Escape empties it and then leaves it. */
export function SearchBox({
  label,
  placeholder,
  value,
  onChange,
  box,
  hint,
  icon: Icon = Search,
  className,
}: {
  label: string;
  placeholder: string;
  value: string;
  onChange: (value: string) => void;
  box: RefObject<HTMLInputElement | null>;
  /** The key that leads here. */
  hint?: string;
  icon?: LucideIcon;
  className?: string;
}) {
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  // The address changed by other means, such as Back or Clear.
  if (seen !== value) {
    setSeen(value);
    setText(value);
  }
  useEffect(() => {
    if (text.trim() === value) return;
    const timer = setTimeout(() => onChange(text.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, value, onChange]);
  return (
    <label className={clsx("relative min-w-0", className)}>
      <span className="sr-only">{label}</span>
      <Icon
        size={15}
        aria-hidden="true"
        className="pointer-events-none absolute top-1/2 left-2.5 -translate-y-1/2 text-faint"
      />
      <input
        ref={box}
        type="search"
        value={text}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") onChange(text.trim());
          if (event.key !== "Escape") return;
          if (text) setText("");
          else event.currentTarget.blur();
          event.preventDefault();
        }}
        placeholder={placeholder}
        className="h-8 w-full rounded-md border border-edge bg-surface pr-8 pl-8 text-cell placeholder:text-faint focus-visible:outline-offset-0 [&::-webkit-search-cancel-button]:hidden"
      />
      {hint && !text && (
        <kbd className="pointer-events-none absolute top-1/2 right-2 -translate-y-1/2 rounded border border-edge px-1.5 font-mono text-2xs text-faint max-sm:hidden">
          {hint}
        </kbd>
      )}
    </label>
  );
}
