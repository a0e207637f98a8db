// What each status looks like: its word, its icon and the tone of its colour, always all three. A status
// without looks does not compile. How a badge is drawn is in status-badge.tsx.

import type { Kind, Standing, Status } from "@shipboard/client";
import {
  Ban,
  CircleCheck,
  CircleHelp,
  CirclePause,
  CircleX,
  Clock,
  FastForward,
  LoaderCircle,
  type LucideIcon,
} from "lucide-react";

/** The families of colour that say something. */
export type Tone = "running" | "success" | "failed" | "waiting" | "quiet";

/** How a status is shown. */
export interface StatusLook {
  readonly word: string;
  readonly icon: LucideIcon;
  readonly tone: Tone;
  /** Whether it asks for attention, and so gets a ground of its colour. */
  readonly loud: boolean;
  /** What its counter counts. */
  readonly rule: string;
}

/** Every status's looks. */
export const STATUS_LOOKS = {
  queued: {
    word: "Queued",
    icon: Clock,
    tone: "quiet",
    loud: false,
    rule: "Deployments here that wait for their turn now.",
  },
  waiting: {
    word: "Waiting",
    icon: CirclePause,
    tone: "waiting",
    loud: true,
    rule: "Deployments here that wait for an approval or a gate now.",
  },
  running: {
    word: "Running",
    icon: LoaderCircle,
    tone: "running",
    loud: true,
    rule: "Deployments here that are running now.",
  },
  success: {
    word: "Success",
    icon: CircleCheck,
    tone: "success",
    loud: false,
    rule: "All deployments here whose latest attempt succeeded.",
  },
  failed: {
    word: "Failed",
    icon: CircleX,
    tone: "failed",
    loud: true,
    rule: "All deployments here whose latest attempt failed.",
  },
  cancelled: {
    word: "Cancelled",
    icon: Ban,
    tone: "quiet",
    loud: false,
    rule: "All deployments here whose latest attempt was cancelled.",
  },
  skipped: {
    word: "Skipped",
    icon: FastForward,
    tone: "quiet",
    loud: false,
    rule: "All deployments here whose latest attempt was skipped.",
  },
  lost: {
    word: "Lost",
    icon: CircleHelp,
    tone: "waiting",
    loud: true,
    rule: "Deployments here that were not heard of for longer than their workflow's limit.",
  },
} satisfies Record<Status, StatusLook>;

/** The looks of one status. */
export const lookOf = (status: Status): StatusLook => STATUS_LOOKS[status];

/** How a standing is called; null where it needs no word. */
export const STANDING_WORDS = {
  current: "current",
  superseded: null,
  rolled_back: "rolled back",
  removed: "removed",
} satisfies Record<Standing, string | null>;

/** How a kind is called. */
export const KIND_WORDS = {
  deploy: "Deploy",
  redeploy: "Redeploy",
  rollback: "Rollback",
} satisfies Record<Kind, string>;

/** Text in a tone's colour. */
export const TONE_TEXT = {
  running: "text-running",
  success: "text-success",
  failed: "text-failed",
  waiting: "text-waiting",
  quiet: "text-quiet",
} satisfies Record<Tone, string>;

/** A ground in a tone's colour. */
export const TONE_GROUND = {
  running: "bg-running-tint",
  success: "bg-success-tint",
  failed: "bg-failed-tint",
  waiting: "bg-waiting-tint",
  quiet: "bg-quiet-tint",
} satisfies Record<Tone, string>;

/** A solid bar in a tone's colour. */
export const TONE_BAR = {
  running: "bg-running",
  success: "bg-(--bar-success)",
  failed: "bg-(--bar-failed)",
  waiting: "bg-(--bar-waiting)",
  quiet: "bg-(--bar-quiet)",
} satisfies Record<Tone, string>;
