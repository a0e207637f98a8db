// What travels on the wire, with the wire's own names (snake_case). Rows and payloads are generated from the
// server's types; the envelope and the REST answers stand here. Turning bytes into these is decode.ts.

import type {
  Counts,
  CountsUpdate,
  Deployment,
  DeploymentDelete,
  DeploymentProgress,
  DeploymentUpsert,
  LogAppend,
  Snapshot,
  StreamEnd,
  TimelineEntry,
  WorkflowUpsert,
} from "./generated/types";

export type {
  Commit,
  Counts,
  CountsUpdate,
  CurrentDeployment,
  Deployment,
  DeploymentCounts,
  DeploymentDelete,
  DeploymentProgress,
  DeploymentsSnapshot,
  DeploymentUpsert,
  DetailsSnapshot,
  EndReason,
  EntryKind,
  Kind,
  LatestDeployment,
  LogAppend,
  LogSnapshot,
  Progress,
  Snapshot,
  Standing,
  Status,
  Step,
  StreamEnd,
  TimelineEntry,
  Workflow,
  WorkflowCounts,
  WorkflowUpsert,
} from "./generated/types";

/** The envelope that every streamed message has. */
export interface EnvelopeOf<Type extends string, Payload> {
  event_id: number;
  type: Type;
  tenant_id: string;
  env_id: string;
  ts: string;
  payload: Payload;
}

/** Every message of the stream that this client knows, told apart by `type`. */
export type Envelope =
  | EnvelopeOf<"snapshot", Snapshot>
  | EnvelopeOf<"deployment.upsert", DeploymentUpsert>
  | EnvelopeOf<"deployment.progress", DeploymentProgress>
  | EnvelopeOf<"deployment.delete", DeploymentDelete>
  | EnvelopeOf<"workflow.upsert", WorkflowUpsert>
  | EnvelopeOf<"counts.update", CountsUpdate>
  | EnvelopeOf<"log.append", LogAppend>
  | EnvelopeOf<"stream.end", StreamEnd>;

/** The type word of a message. */
export type EventType = Envelope["type"];

/** The message with the given type word. */
export type EventOf<Type extends EventType> = Extract<Envelope, { type: Type }>;

/** A list answer of the REST interface. */
export interface Page<Item> {
  items: Item[];
  next: string | null;
  event_id: number;
}

/** The answer for one deployment. */
export interface DeploymentAnswer {
  deployment: Deployment;
  timeline: TimelineEntry[];
  timeline_more: boolean;
  event_id: number;
}

/** An organisation. */
export interface Tenant {
  id: string;
  name: string;
}

/** A place to deploy to, with its counts when it was read. */
export interface Env {
  id: string;
  name: string;
  tier: string | null;
  position: number;
  counts: Counts | null;
}

/** Who the browser is to the server. */
export interface Session {
  /** `open`: nobody needs to sign in; `required`: everybody does. */
  mode: "open" | "required";
  signed_in: boolean;
  tenant: string | null;
  role: string | null;
}

/** The body of an RFC 9457 error answer. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string | null;
  request_id: string | null;
}
