// Keyboard shortcuts of a page: single keys that do nothing while somebody types or holds a modifier.

import { useEffect, useRef } from "react";

/** What keys do, by the event's `key`. */
export type Keys = Readonly<Record<string, (event: KeyboardEvent) => void>>;

const typing = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;

const inFloat = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest("[role=menu], [role=dialog], dialog") !== null;

/** Listens to the keys while the component is there. */
export function useKeys(keys: Keys): void {
  const held = useRef(keys);
  useEffect(() => {
    held.current = keys;
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
      if (typing(event.target) || inFloat(event.target)) return;
      if (Object.hasOwn(held.current, event.key)) held.current[event.key]?.(event);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}
