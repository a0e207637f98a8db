// Which of a shared stream's scopes a message is for. Pure. Each scope hears what a stream of its own would have
// brought it, and little more is posted to a tab than it shows.

import type { Envelope } from "../protocol/types";

/** Whether a message of an env concerns the scope with this path in it. */
export function concerns(path: string, event: Envelope): boolean {
  const board = event.env_id;
  const details = (id: string) => `${board}/d/${id}`;
  switch (event.type) {
    case "snapshot": {
      const { payload } = event;
      if (payload.scope === "deployments") return path === board;
      if (payload.scope === "details") return path === details(payload.deployment.id);
      return path === `${details(payload.id)}/log`;
    }
    case "deployment.upsert":
      return path === board || path === details(event.payload.deployment.id);
    case "deployment.progress":
    case "deployment.delete":
      return path === board || path === details(event.payload.id);
    case "workflow.upsert":
      return path === board;
    case "counts.update":
      return !path.endsWith("/log");
    case "log.append":
      return path === `${details(event.payload.id)}/log`;
    case "stream.end":
      return false;
  }
}
