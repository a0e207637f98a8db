// Addresses: of an env's calls, and whether the server is on this very machine. The page's own address
// counts where the base is empty.

/** The path of an env below the base. */
export const envPath = (tenant: string, env: string): string =>
  `/api/v1/tenants/${encodeURIComponent(tenant)}/envs/${encodeURIComponent(env)}`;

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
