// How long to wait before the next attempt. Pure: chance comes in as a number.

/** The upper limit of the first wait. */
export const BASE_MS = 1_000;
/** The upper limit of any wait that the server did not ask for. */
export const CAP_MS = 20_000;
/** The longest wait a server may ask for; beyond it a header is taken for a mistake. */
export const REQUESTED_LIMIT_MS = 5 * 60_000;

/**
 * Full jitter: anything between nothing and the doubling limit. What the server asked for is a floor, with up
 * to a second of spread on top, because it may have told a thousand clients the same number.
 */
export function backoffMs(failures: number, requestedMs: number, random: number): number {
  const limit = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(failures, 30));
  const wait = random * limit;
  if (requestedMs <= 0) return Math.round(wait);
  return Math.round(Math.max(wait, Math.min(requestedMs, REQUESTED_LIMIT_MS) + random * BASE_MS));
}

/** What `Retry-After` asks for, in milliseconds: seconds or a date. */
export function retryAfterMs(headers: Headers, now: number): number | null {
  const value = headers.get("Retry-After")?.trim();
  if (!value) return null;
  if (/^\d+$/.test(value)) return Number(value) * 1_000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
