// A deployment's timeline as it is read: its attempts, and in each one item per status, step and note, oldest first,
// with what lay between. A step's reports are one item; how long something took is told only where both ends are
// known. Pure.

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

/** A line of the timeline. */
export type TimelineItem = HappenedItem | GapItem;

/** One attempt. */
export interface Attempt {
  readonly number: number;
  /** How it ended, or how it is going; null where nothing says. */
  readonly status: Status | null;
  /** When the first of it happened. */
  readonly at: string;
  /** How long it ran; null where an end is not known. */
  readonly ran: { readonly from: string; readonly to: string | null } | null;
  readonly items: readonly TimelineItem[];
}

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
  Date.parse(a.occurred_at) - Date.parse(b.occurred_at) || a.seq - b.seq;

/** The attempts, the earliest first; `running` says whether the last of them is still under way. */
export function timelineAttempts(entries: readonly TimelineEntry[], running: boolean): Attempt[] {
  const byAttempt = new Map<number, TimelineEntry[]>();
  for (const entry of entries) {
    const own = byAttempt.get(entry.attempt);
    if (own) own.push(entry);
    else byAttempt.set(entry.attempt, [entry]);
  }
  const numbers = [...byAttempt.keys()].sort((a, b) => a - b);
  return numbers.map((number) => {
    const own = (byAttempt.get(number) ?? []).sort(byTime);
    const goesOn = running && number === numbers.at(-1);
    const last = lastStatus(own);
    return {
      number,
      status: statusOf(last?.status ?? null),
      at: own[0]?.occurred_at ?? "",
      ran: ranFrom(own, last, goesOn),
      items: itemsOf(own, goesOn),
    };
  });
}

/** The entry that tells how an attempt is: an end if there is one, whatever came later. */
function lastStatus(own: readonly TimelineEntry[]): TimelineEntry | undefined {
  const ends = own.filter((entry) => isEnd(entry));
  return ends.at(-1) ?? own.findLast((entry) => !entry.step && statusOf(entry.status) !== null);
}

function isEnd(entry: TimelineEntry): boolean {
  const status = entry.step ? null : statusOf(entry.status);
  return status !== null && !isActive(status);
}

function ranFrom(
  own: readonly TimelineEntry[],
  last: TimelineEntry | undefined,
  goesOn: boolean,
): Attempt["ran"] {
  const started = own.find((entry) => entry.status === "running" && !entry.step);
  if (!started || !last) return null;
  if (isEnd(last)) return { from: started.occurred_at, to: last.occurred_at };
  return goesOn ? { from: started.occurred_at, to: null } : null;
}

function itemsOf(own: readonly TimelineEntry[], goesOn: boolean): TimelineItem[] {
  const items: TimelineItem[] = [];
  const steps = Map.groupBy(own, (entry) => entry.step?.name);
  for (const entry of own) {
    if (entry.step) {
      const item = stepItem(entry, steps.get(entry.step.name) ?? [], own, goesOn);
      if (item) items.push(item);
      continue;
    }
    items.push(plainItem(entry));
    const gap = gapAfter(entry, own, goesOn);
    if (gap) items.push(gap);
  }
  const last = items.findLast((item) => item.is === "entry");
  return items.map((item) =>
    goesOn && item === last && item.is === "entry" ? { ...item, active: true } : item,
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
  reports: readonly TimelineEntry[],
  own: readonly TimelineEntry[],
  goesOn: boolean,
): HappenedItem | null {
  const name = entry.step?.name;
  const last = reports.at(-1);
  if (reports[0] !== entry || !last) return null;
  const status = statusOf(last.step?.status ?? last.status) ?? (goesOn ? "running" : null);
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
        : (next?.occurred_at ?? (goesOn ? null : undefined));
  const shownStatus = !over && next ? "success" : status;
  return {
    ...shared(entry),
    status: over ? status : shownStatus,
    until,
    message: last.message ?? entry.message,
    failing: status === "failed",
  };
}

function gapAfter(entry: TimelineEntry, own: readonly TimelineEntry[], goesOn: boolean): GapItem | null {
  if (entry.kind !== "status" || entry.late) return null;
  if (entry.status !== "queued" && entry.status !== "waiting") return null;
  const next = own.find((other) => byTime(other, entry) > 0 && other.kind === "status" && !other.late);
  if (!next && !goesOn) return null;
  if (next && Date.parse(next.occurred_at) - Date.parse(entry.occurred_at) < GAP_LEAST_MS) return null;
  return {
    is: "gap",
    key: `gap-${entry.seq}`,
    word: entry.status,
    from: entry.occurred_at,
    to: next?.occurred_at ?? null,
  };
}
