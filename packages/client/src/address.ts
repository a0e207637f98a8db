// Whether the server is on this very machine. The page's own address counts where the base is empty.

/** Whether an address points to this machine; without one, whether the page came from it. */
export function isLoopback(baseUrl: string): boolean {
  const address = baseUrl || (typeof location === "undefined" ? "" : location.origin);
  try {
    const { hostname } = new URL(address);
    return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  } catch {
    return false;
  }
}
