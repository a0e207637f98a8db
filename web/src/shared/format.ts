// How times, durations and numbers are written. Formatters are module constants; the time that is "now" always
// comes in as a value. Nothing here knows which clock it is (clock.ts) or what is counted.

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const numbers = new Intl.NumberFormat("en-US");
const clockTime = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const clockSeconds = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const dayMonth = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const dayMonthYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const absolute = new Intl.DateTimeFormat("en-GB", {
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});

const two = (value: number): string => String(value).padStart(2, "0");

/** `4,318`. */
export const formatNumber = (value: number): string => numbers.format(value);

/** `42s`, `3m 12s`, `1h 04m`, `2d 03h`; never negative. */
export function formatDuration(ms: number): string {
  const clamped = Number.isFinite(ms) ? Math.max(0, ms) : 0;
  if (clamped < MINUTE) return `${Math.floor(clamped / SECOND)}s`;
  if (clamped < HOUR) {
    return `${Math.floor(clamped / MINUTE)}m ${two(Math.floor((clamped % MINUTE) / SECOND))}s`;
  }
  if (clamped < DAY) return `${Math.floor(clamped / HOUR)}h ${two(Math.floor((clamped % HOUR) / MINUTE))}m`;
  return `${Math.floor(clamped / DAY)}d ${two(Math.floor((clamped % DAY) / HOUR))}h`;
}

/** One rounded unit, for estimates and ages: `8s`, `2m`, `3h`, `5d`. */
export function formatRough(ms: number): string {
  const clamped = Math.max(0, ms);
  if (clamped < MINUTE) return `${Math.floor(clamped / SECOND)}s`;
  if (clamped < HOUR) return `${Math.round(clamped / MINUTE)}m`;
  if (clamped < DAY) return `${Math.round(clamped / HOUR)}h`;
  return `${Math.round(clamped / DAY)}d`;
}

/** `just now`, `42s ago`, `12m ago`, `3h ago`, `5d ago`, then the date. A time ahead of now is just now. */
export function formatRelative(at: number, now: number): string {
  const age = now - at;
  if (age < 5 * SECOND) return "just now";
  if (age < MINUTE) return `${Math.floor(age / SECOND)}s ago`;
  if (age < HOUR) return `${Math.floor(age / MINUTE)}m ago`;
  if (age < DAY) return `${Math.floor(age / HOUR)}h ago`;
  if (age < 14 * DAY) return `${Math.floor(age / DAY)}d ago`;
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return (sameYear ? dayMonth : dayMonthYear).format(at);
}

/** `10:42:07` today, `12 Mar 10:42` within the year, else the date; in the reader's zone. */
export function formatExact(at: number, now: number): string {
  if (Math.abs(now - at) < DAY && new Date(at).getDate() === new Date(now).getDate()) {
    return formatClockSeconds(at);
  }
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return sameYear ? `${dayMonth.format(at)} ${formatClock(at)}` : dayMonthYear.format(at);
}

/** `10:42`, in the reader's zone. */
export const formatClock = (at: number): string => clockTime.format(at);

/** `10:42:07`, in the reader's zone. */
export const formatClockSeconds = (at: number): string => clockSeconds.format(at);

/** The absolute time with its zone. */
export const formatAbsolute = (at: string): string => absolute.format(Date.parse(at));

/** What stands in a time's tooltip: absolute with zone, and the very text of the wire. */
export const describeTime = (at: string): string => `${formatAbsolute(at)}\n${at}`;

/** The duration between two times of the server, clamped at 0. */
export const between = (from: string, to: string): number => Math.max(0, Date.parse(to) - Date.parse(from));

/** The seven characters that people call a commit by. */
export const shortSha = (sha: string): string => sha.slice(0, 7);

/** The first line of a commit's message. */
export const subjectOf = (message: string): string => (message.split("\n", 1)[0] ?? "").trim();

/** `1 deployment`, `3 deployments`. */
export const plural = (count: number, word: string): string =>
  `${formatNumber(count)} ${word}${count === 1 ? "" : "s"}`;
