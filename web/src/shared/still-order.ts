// Rows that keep their places while somebody is busy with them. Who is gone goes, who is new comes at the end, and
// everything falls into place once the reader looks away.

import { type RefObject, useEffect, useState } from "react";

/** Who has not moved the pointer over the rows for so long, nor typed, is not busy with them. */
const REST_MS = 2_500;

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

/**
 * Whether somebody is busy with the element: the focus or a moving pointer is in it, the focus is in a menu that was
 * opened from it, or something is being typed on its page.
 */
export function useReading(element: RefObject<HTMLElement | null>): boolean {
  const [focused, setFocused] = useState(false);
  const [moving, setMoving] = useState(false);
  useEffect(() => {
    const within = element.current;
    if (!within) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const rest = () => {
      clearTimeout(timer);
      setMoving(false);
    };
    const move = () => {
      clearTimeout(timer);
      timer = setTimeout(rest, REST_MS);
      setMoving(true);
    };
    const focus = () => {
      const active = document.activeElement;
      setFocused(within.contains(active) || active?.closest("[data-holds-order]") != null);
    };
    // After a focusout the next element has the focus only in the next turn.
    const blur = () => queueMicrotask(focus);
    within.addEventListener("pointermove", move);
    document.addEventListener("input", move);
    within.addEventListener("pointerleave", rest);
    document.addEventListener("focusin", focus);
    document.addEventListener("focusout", blur);
    return () => {
      clearTimeout(timer);
      within.removeEventListener("pointermove", move);
      document.removeEventListener("input", move);
      within.removeEventListener("pointerleave", rest);
      document.removeEventListener("focusin", focus);
      document.removeEventListener("focusout", blur);
    };
  }, [element]);
  return focused || moving;
}
