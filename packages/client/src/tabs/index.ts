// The tabs entry: one stream for all tabs of a browser. Apart from the root entry, because not all need it.

export { type Browser, browserTabs, type Channel } from "./browser";
export { acrossTabs } from "./tabs";
