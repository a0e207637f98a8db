// The testing entry: builders of wire values, a world whose time a test moves, and a stream server in memory.

export * from "./build";
export { fuzz } from "./fuzz";
export { type Act, EnvModel } from "./model";
export { json, problem, type Rule, ServerStream, StreamServer } from "./server";
export { TestTabs } from "./tabs";
export { type Answer, type Request, settle, World } from "./world";
