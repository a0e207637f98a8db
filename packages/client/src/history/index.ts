// The history entry: for pages that page, filter or call, beside showing what is live.

export { matches } from "../filter";
export { type Api, type ListQuery, ProblemError } from "./api";
export { type DeploymentsStore, type Paging, type ShipboardClient, withHistory } from "./history";
