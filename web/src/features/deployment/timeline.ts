// A deployment's timeline as it is read: one item per status, step and note, oldest first, with what lay between.
// A step's reports are one item; how long something took is told only where both ends are known. Pure.

import { isActive, STATUSES, type Status, type TimelineEntry } from "@shipboard/client";

/** Something that happened. */
export interface HappenedItem {
  readonly is: "entry";
  readonly key: string;
  readonly kind: TimelineEntry["kind"];
  readonly title: string;
  /** The status that gives the icon; null where there is none. */
  readonly status: Status | null;
  readonly at: string;
  /** When it was over; null while it goes on, undefined where it had no length. */
  readonly until: string | null | undefined;
  readonly message: string | null;
  readonly by: string | null;
  readonly late: boolean;
  readonly failing: boolean;
  /** Whether it is going on; only the last of a running deployment is. */
  readonly active: boolean;
}

/** Time that passed in a status. */
export interface GapItem {
  readonly is: "gap";
  readonly key: string;
  readonly word: string;
  readonly from: string;
  readonly to: string | null;
}

/** From here on it is another attempt. */
export interface AttemptItem {
  readonly is: "attempt";
  readonly key: string;
  readonly attempt: number;
}

/** A line of the timeline. */
export type TimelineItem = HappenedItem | GapItem | AttemptItem;

/** A gap shorter than this is not worth a line. */
export const GAP_LEAST_MS = 1_000;

const statusOf = (word: string | null): Status | null => STATUSES.find((status) => status === word) ?? null;

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

function titleOf(entry: TimelineEntry): string {
  if (entry.step) return entry.step.name;
  if (entry.kind === "note") return "Note";
  const word = entry.status === null ? "Report" : capital(entry.status);
  return entry.kind === "correction" ? `Corrected to ${word.toLowerCase()}` : word;
}

const byTime = (a: TimelineEntry, b: TimelineEntry): number =>
  a.attempt - b.attempt || Date.parse(a.occurred_at) - Date.parse(b.occurred_at) || a.seq - b.seq;

/** The timeline's lines; `running` says whether the deployment is still under way. */
export function timelineItems(entries: readonly TimelineEntry[], running: boolean): TimelineItem[] {
  const sorted = [...entries].sort(byTime);
  const items: TimelineItem[] = [];
  const lastAttempt = sorted.at(-1)?.attempt ?? 1;
  let attempt = 0;
  for (const entry of sorted) {
    if (entry.attempt !== attempt) {
      attempt = entry.attempt;
      if (lastAttempt > 1) items.push({ is: "attempt", key: `attempt-${attempt}`, attempt });
    }
    const own = sorted.filter((other) => other.attempt === attempt);
    if (entry.step) {
      const item = stepItem(entry, own, running && attempt === lastAttempt);
      if (item) items.push(item);
      continue;
    }
    items.push(plainItem(entry));
    const gap = gapAfter(entry, own, running && attempt === lastAttempt);
    if (gap) items.push(gap);
  }
  const last = items.findLast((item) => item.is === "entry");
  return items.map((item) =>
    running && item === last && item.is === "entry" ? { ...item, active: true } : item,
  );
}

const shared = (entry: TimelineEntry) => ({
  is: "entry" as const,
  key: `entry-${entry.seq}`,
  kind: entry.kind,
  title: titleOf(entry),
  at: entry.occurred_at,
  by: entry.actor,
  late: entry.late,
  active: false,
});

function plainItem(entry: TimelineEntry): HappenedItem {
  const status = statusOf(entry.status);
  return {
    ...shared(entry),
    status,
    until: undefined,
    message: entry.message,
    failing: status === "failed",
  };
}

/** One item for all reports of a step, at the first of them; null for the reports after it. */
function stepItem(
  entry: TimelineEntry,
  own: readonly TimelineEntry[],
  running: boolean,
): HappenedItem | null {
  const name = entry.step?.name;
  const reports = own.filter((other) => other.step?.name === name);
  const last = reports.at(-1);
  if (reports[0] !== entry || !last) return null;
  const status = statusOf(last.step?.status ?? last.status) ?? (running ? "running" : null);
  const next = own.find(
    (other) =>
      other.step?.name !== name && byTime(other, last) > 0 && (other.step || other.status !== "running"),
  );
  const over = status !== null && !isActive(status);
  const until =
    over && last !== entry
      ? last.occurred_at
      : over
        ? undefined
        : (next?.occurred_at ?? (running ? null : undefined));
  const shownStatus = !over && next ? "success" : status;
  return {
    ...shared(entry),
    status: over ? status : shownStatus,
    until,
    message: last.message ?? entry.message,
    failing: status === "failed",
  };
}

function gapAfter(entry: TimelineEntry, own: readonly TimelineEntry[], running: boolean): GapItem | null {
  if (entry.kind !== "status" || entry.late) return null;
  if (entry.status !== "queued" && entry.status !== "waiting") return null;
  const next = own.find((other) => byTime(other, entry) > 0 && other.kind === "status" && !other.late);
  if (!next && !running) return null;
  if (next && Date.parse(next.occurred_at) - Date.parse(entry.occurred_at) < GAP_LEAST_MS) return null;
  return {
    is: "gap",
    key: `gap-${entry.seq}`,
    word: entry.status,
    from: entry.occurred_at,
    to: next?.occurred_at ?? null,
  };
}
