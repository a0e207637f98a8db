// What may be said about a deployment's progress: what was reported, or else an estimate from how long the
// workflow usually takes, called one. Never backwards, never past the end; a failed one stops where it was.

import { type Deployment, isActive } from "@shipboard/client";
import { formatRough } from "~/shared/format";

/** A bar and the words under it. */
export interface ProgressView {
  /** 0 to 100. */
  readonly percent: number;
  /** Reported by the source, or reckoned from the expected duration. */
  readonly from: "reported" | "estimate" | "unknown";
  readonly tone: "running" | "failed" | "waiting" | "quiet";
  readonly label: string;
}

/** Above this share of the expected duration an estimate turns amber. */
export const OVERDUE_SHARE = 1.2;
/** How far an estimate goes by itself. */
export const ESTIMATE_LIMIT_PERCENT = 95;

const part = (value: number): string => `${Math.floor(value)} %`;

/** "rollout · 3/7": the reported phase and step. */
export function phaseOf({ progress: { phase, step } }: Deployment): string {
  return [phase, step].filter(Boolean).join(" · ");
}

/** What to show of a deployment's progress at a time of the server; null where there is nothing to say. */
export function progressView(row: Deployment, now: number): ProgressView | null {
  const { percent } = row.progress;
  const phase = phaseOf(row);
  const joined = (first: string) => [first, phase].filter(Boolean).join(" · ");
  if (row.status === "failed" || row.status === "lost" || row.status === "cancelled") {
    if (percent === null && !phase) return null;
    const tone = row.status === "failed" ? "failed" : row.status === "lost" ? "waiting" : "quiet";
    const where = percent === null ? phase : joined(part(percent));
    return {
      percent: percent ?? 0,
      from: percent === null ? "unknown" : "reported",
      tone,
      label: `stopped at ${where}`,
    };
  }
  if (!isActive(row.status)) return null;
  if (percent !== null) return { percent, from: "reported", tone: "running", label: joined(part(percent)) };
  if (row.status !== "running" || row.started_at === null) return null;
  if (row.expected_ms === null || row.expected_ms <= 0) {
    return { percent: 0, from: "unknown", tone: "running", label: phase || "no estimate yet" };
  }
  const elapsed = Math.max(0, now - Date.parse(row.started_at));
  const share = elapsed / row.expected_ms;
  const late = elapsed - row.expected_ms;
  const label = late > 0 ? `≈ ${formatRough(late)} over` : `≈ ${formatRough(-late)} left`;
  return {
    percent: Math.min(ESTIMATE_LIMIT_PERCENT, share * 100),
    from: "estimate",
    tone: share > OVERDUE_SHARE ? "waiting" : "running",
    label: joined(label),
  };
}
