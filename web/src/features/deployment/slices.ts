// Long work in slices: between two of them the page can draw and hear its reader.

/** How long a slice of work may be; a frame has 16 ms, and the page needs some of it. */
export const SLICE_MS = 8;

/** Lets the page do what waits. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(null);
  });
}
