// What a page may say about its connection, derived from the connection's state. No timers and no clock:
// the age of the last event is for the page to compute from the shared clock.

/** Why a stream stopped for good, until a person asks again. */
export type StopReason =
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "refused"
  | "expired"
  | "revoked"
  | "gone";

/** Why a stream rests though it is wanted. */
export type PauseReason = "hidden" | "offline" | "follower";

/** The state of a connection as a person sees it. */
export type LinkStatus =
  | { readonly status: "connecting" }
  | { readonly status: "live" }
  | { readonly status: "reconnecting"; readonly since: number }
  | { readonly status: "offline"; readonly since: number }
  | { readonly status: "stopped"; readonly reason: StopReason; readonly http_status: number | null };

/** A scope's link with what else is known of it. Times are milliseconds of this machine's clock. */
export interface Link {
  readonly state: LinkStatus;
  /** When the last event (not heartbeat) came, or null. */
  readonly lastEventAt: number | null;
}

/** The link of a scope that nobody has asked for yet. */
export const initialLink: Link = { state: { status: "connecting" }, lastEventAt: null };
