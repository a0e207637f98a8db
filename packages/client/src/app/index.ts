// The app entry: the root's live board and all the rest of a client, for pages that look at more than that.

export { matches } from "../filter";
export { type Api, type ListQuery, ProblemError } from "./api";
export { createClient, type DeploymentsStore, type Paging, type ShipboardClient } from "./client";
