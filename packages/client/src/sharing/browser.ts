// What the tabs of one browser have in common: names that one of them holds at a time, and channels on which
// others hear. Nothing here knows what they are used for.

/** The common ground of a browser's tabs. */
export interface Browser {
  /** A name that no other tab has. */
  readonly tab: string;
  /** Waits until the name is free, then holds it until the tab goes; returns what lets go of it earlier. */
  hold(name: string, holder: Holder): () => void;
  /** Hears what other tabs post. */
  channel(name: string, hear: (message: unknown) => void): Channel;
}

/** Who wants to hold a name. */
export interface Holder {
  held(): void;
  /** Another tab took the name by force, or the browser did. */
  lost?(): void;
  /** Does not wait, but takes the name from whoever holds it. */
  readonly steal?: boolean;
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
    hold(name, { held, lost, steal = false }) {
      const abort = new AbortController();
      const { promise, resolve } = Promise.withResolvers<void>();
      let holds = false;
      let released = false;
      // Whoever steals does not wait: there is nothing to abort, and the two options exclude each other.
      const request = locks.request(name, steal ? { steal } : { signal: abort.signal }, () => {
        if (released) return;
        holds = true;
        held();
        return promise;
      });
      // Rejected if the name is taken away, and if a request that still waits is aborted, which nobody awaits.
      request.catch(() => {
        if (holds && !released) lost?.();
      });
      return () => {
        released = true;
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
