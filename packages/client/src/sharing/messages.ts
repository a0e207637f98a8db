// What tabs say to each other. All hear what is said in common; what a leader tells a tab goes to that tab
// alone, so that a large snapshot costs only who wants it.

import type { LinkStatus } from "../link";
import type { Envelope } from "../protocol/types";

/** A scope that a tab wants to be carried. */
export interface Wish {
  /** The tab's own number for its subscriber. */
  readonly key: number;
  readonly tenant: string;
  readonly env: string;
  readonly path: string;
  readonly url: string;
}

/** Said in common. */
export type TabMessage =
  /** A follower wants exactly this; it is answered by `Told`. */
  | { readonly is: "want"; readonly tab: string; readonly wishes: readonly Wish[] }
  | { readonly is: "lost"; readonly tab: string; readonly key: number }
  | { readonly is: "again" }
  | { readonly is: "wake" }
  /** A tab has begun to lead: everybody tell it what you want. */
  | { readonly is: "leader"; readonly term: number };

/** What one of the leader's streams said, to the subscribers with these keys and to no other. */
export type Said =
  | { readonly is: "begin"; readonly keys: readonly number[] }
  | { readonly is: "link"; readonly keys: readonly number[]; readonly status: LinkStatus }
  | { readonly is: "event"; readonly keys: readonly number[]; readonly event: Envelope };

/** Told to one tab, in order; of nothing, if it only says that the leader is there. */
export interface Told {
  readonly term: number;
  readonly said: readonly Said[];
}
