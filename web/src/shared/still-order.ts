// Rows that keep their places while somebody is busy with them. Who is gone goes, who is new comes at the end, and
// everything falls into place once the reader looks away.

import { type RefObject, useEffect, useState } from "react";

/** A pointer that rested this long over the rows is not reading them. */
const POINTER_REST_MS = 2_500;

/** The order to show while one is held. */
export function stillOrder(held: readonly string[], live: readonly string[]): readonly string[] {
  const now = new Set(live);
  const before = new Set(held);
  const kept = held.filter((id) => now.has(id));
  const fresh = live.filter((id) => !before.has(id));
  return kept.length === held.length && fresh.length === 0 ? held : [...kept, ...fresh];
}

/** The order to show: the live one, or the held one while somebody is busy. Another key is another view. */
export function useStillOrder(live: readonly string[], busy: boolean, key: string): readonly string[] {
  const [held, setHeld] = useState({ ids: live, key });
  const ids = busy && held.key === key ? stillOrder(held.ids, live) : live;
  // Set while rendering, so that no frame shows another order.
  if (held.ids !== ids || held.key !== key) setHeld({ ids, key });
  return ids;
}

/** Whether the focus or a moving pointer is within the element, or the focus in a menu that was opened from it. */
export function useReading(element: RefObject<HTMLElement | null>): boolean {
  const [focused, setFocused] = useState(false);
  const [pointing, setPointing] = useState(false);
  useEffect(() => {
    const within = element.current;
    if (!within) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const rest = () => {
      clearTimeout(timer);
      setPointing(false);
    };
    const move = () => {
      clearTimeout(timer);
      timer = setTimeout(rest, POINTER_REST_MS);
      setPointing(true);
    };
    const focus = () => {
      const active = document.activeElement;
      setFocused(within.contains(active) || active?.closest("[data-holds-order]") != null);
    };
    // After a focusout the next element has the focus only in the next turn.
    const blur = () => queueMicrotask(focus);
    within.addEventListener("pointermove", move);
    within.addEventListener("pointerleave", rest);
    document.addEventListener("focusin", focus);
    document.addEventListener("focusout", blur);
    return () => {
      clearTimeout(timer);
      within.removeEventListener("pointermove", move);
      within.removeEventListener("pointerleave", rest);
      document.removeEventListener("focusin", focus);
      document.removeEventListener("focusout", blur);
    };
  }, [element]);
  return focused || pointing;
}
