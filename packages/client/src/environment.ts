// Everything this package takes from the world around it: clock, chance, network, timers, frames and the
// page's visibility. One value, handed in, so that tests decide all of it. Nothing else here reads a global.

/** Why the page should look after its connections at once. */
export type Wake = "visible" | "online" | "pageshow";

/** What the page said about itself. */
export type PageSignal =
  | { readonly is: "wake"; readonly why: Wake }
  | { readonly is: "hidden" }
  | { readonly is: "offline" };

/** The world, as far as this package needs it. */
export interface Environment {
  /** Milliseconds since 1970 by this machine's clock. */
  now(): number;
  /** A number in [0, 1). */
  random(): number;
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** Calls back after `ms`; returns what takes it back. */
  after(ms: number, callback: () => void): () => void;
  /** Calls back before the next frame is drawn; where none is drawn, never. Returns what takes it back. */
  frame(callback: () => void): () => void;
  /** Whether the page is hidden now. */
  hidden(): boolean;
  /** Whether the machine has a network, as far as it knows. */
  online(): boolean;
  /** Hears of the page being hidden, shown, restored, cut off and connected; returns what stops it. */
  onPage(listener: (signal: PageSignal) => void): () => void;
}

const noop = (): void => undefined;

/** The real world: a browser's window, or as much of one as there is. */
export function browserEnvironment(): Environment {
  const page = typeof document === "undefined" ? null : document;
  const view = typeof window === "undefined" ? null : window;
  return {
    now: () => Date.now(),
    random: () => Math.random(),
    fetch: (url, init) => fetch(url, init),
    after: (ms, callback) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    frame: (callback) => {
      if (!view?.requestAnimationFrame) return noop;
      const frame = view.requestAnimationFrame(callback);
      return () => view.cancelAnimationFrame(frame);
    },
    hidden: () => page?.visibilityState === "hidden",
    online: () => typeof navigator === "undefined" || navigator.onLine !== false,
    onPage: (listener) => {
      if (!page || !view) return noop;
      const stop = new AbortController();
      const on = (target: EventTarget, type: string, told: () => PageSignal) =>
        target.addEventListener(type, () => listener(told()), { signal: stop.signal });
      on(page, "visibilitychange", () =>
        page.visibilityState === "hidden" ? { is: "hidden" } : { is: "wake", why: "visible" },
      );
      on(view, "online", () => ({ is: "wake", why: "online" }));
      on(view, "offline", () => ({ is: "offline" }));
      on(view, "pageshow", () => ({ is: "wake", why: "pageshow" }));
      return () => stop.abort();
    },
  };
}
