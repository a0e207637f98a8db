// One tooltip for the whole page: anything with `data-tip` has one, on pointing and on focus. Thousands of cells
// cost nothing that way. It can be pointed at, and Escape hides it. Meaning that only stands here is forbidden.

import { useEffect, useLayoutEffect, useRef, useState } from "react";

const SHOW_AFTER_MS = 350;
const HIDE_AFTER_MS = 80;
const MARGIN = 8;

interface Shown {
  readonly text: string;
  readonly anchor: DOMRect;
}

/** Shows the tooltips of everything below the document. */
export function TipLayer() {
  const [shown, setShown] = useState<Shown | null>(null);
  const bubble = useRef<HTMLDivElement>(null);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const later = (ms: number, next: () => Shown | null) => {
      clearTimeout(timer);
      timer = setTimeout(() => setShown(next()), ms);
    };
    const over = (event: Event) => {
      if (!(event.target instanceof Element)) return;
      if (bubble.current?.contains(event.target)) {
        clearTimeout(timer);
        return;
      }
      const owner = event.target.closest("[data-tip]");
      const text = owner?.getAttribute("data-tip");
      if (!owner || !text) {
        later(HIDE_AFTER_MS, () => null);
        return;
      }
      const keyboard = event.type === "focusin";
      if (keyboard && !owner.matches(":focus-visible")) return;
      later(SHOW_AFTER_MS, () =>
        owner.isConnected ? { text, anchor: owner.getBoundingClientRect() } : null,
      );
    };
    const hide = () => {
      clearTimeout(timer);
      setShown(null);
    };
    const key = (event: KeyboardEvent) => {
      if (event.key === "Escape") hide();
    };
    document.addEventListener("pointerover", over);
    document.addEventListener("focusin", over);
    document.addEventListener("focusout", hide);
    document.addEventListener("pointerdown", hide);
    document.addEventListener("keydown", key);
    window.addEventListener("scroll", hide, { passive: true, capture: true });
    return () => {
      clearTimeout(timer);
      document.removeEventListener("pointerover", over);
      document.removeEventListener("focusin", over);
      document.removeEventListener("focusout", hide);
      document.removeEventListener("pointerdown", hide);
      document.removeEventListener("keydown", key);
      window.removeEventListener("scroll", hide, { capture: true });
    };
  }, []);

  useLayoutEffect(() => {
    const element = bubble.current;
    if (!element || !shown) return;
    const { width, height } = element.getBoundingClientRect();
    const { anchor } = shown;
    const left = anchor.left + anchor.width / 2 - width / 2;
    const below = anchor.bottom + 6;
    const fits = below + height + MARGIN <= window.innerHeight;
    element.style.left = `${Math.max(MARGIN, Math.min(left, window.innerWidth - width - MARGIN))}px`;
    element.style.top = `${fits ? below : anchor.top - height - 6}px`;
  }, [shown]);

  if (!shown) return null;
  return (
    <div
      ref={bubble}
      role="tooltip"
      className="fixed top-0 left-0 z-50 max-w-80 rounded-md bg-ink px-2.5 py-1.5 text-xs whitespace-pre-line text-page shadow-float"
    >
      {shown.text}
    </div>
  );
}
