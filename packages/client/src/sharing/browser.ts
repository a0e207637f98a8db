// What the tabs of one browser have in common: names that one of them holds at a time, and a channel on which
// all others hear. Nothing here knows what they are used for.

/** The common ground of a browser's tabs. */
export interface Browser {
  /** A name that no other tab has. */
  readonly tab: string;
  /** Waits until the name is free, then holds it until the tab goes; returns what lets go of it earlier. */
  hold(name: string, held: () => void): () => void;
  /** Hears what other tabs post. */
  channel(name: string, hear: (message: unknown) => void): Channel;
}

/** A place where all tabs hear each other, but none itself. */
export interface Channel {
  post(message: unknown): void;
  close(): void;
}

/** The real browser's tabs; null where it has no locks or channels (an insecure origin): each is alone then. */
export function browserTabs(): Browser | null {
  if (typeof navigator === "undefined" || !("locks" in navigator) || !navigator.locks) return null;
  if (typeof BroadcastChannel === "undefined") return null;
  const { locks } = navigator;
  return {
    tab: crypto.randomUUID(),
    hold(name, held) {
      const abort = new AbortController();
      const { promise, resolve } = Promise.withResolvers<void>();
      const request = locks.request(name, { signal: abort.signal }, () => {
        held();
        return promise;
      });
      // An abort of a request that is still waiting is a rejection; nobody waits for it.
      request.catch(() => undefined);
      return () => {
        abort.abort();
        resolve();
      };
    },
    channel(name, hear) {
      const channel = new BroadcastChannel(name);
      channel.addEventListener("message", (event: MessageEvent<unknown>) => hear(event.data));
      return { post: (message) => channel.postMessage(message), close: () => channel.close() };
    },
  };
}
