// The sharing entry: one stream for several scopes, or for all tabs of a browser. A page with one scope in one
// tab has nothing to share.

export { type Browser, browserTabs, type Channel } from "./browser";
export { sharedStreams } from "./streams";
export { acrossTabs } from "./tabs";
