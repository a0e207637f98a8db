// What a deployment is called where there is room for one line.

import type { Deployment } from "@shipboard/client";
import { subjectOf } from "~/shared/format";

/** Where an id begins to tell deployments apart: what stands before is the time it was made. */
const ID_TAIL = -8;

/** The commit's subject, else the version, else its id at the source, else the end of its own. */
export function titleOf(row: Deployment): string {
  const subject = row.commit.message && subjectOf(row.commit.message);
  const own = row.external_id === row.id ? `Deployment ${row.id.slice(ID_TAIL)}` : row.external_id;
  return subject || row.version || own;
}

const SOURCE_NAMES: ReadonlyMap<string, string> = new Map([
  ["github", "GitHub"],
  ["gitlab", "GitLab"],
  ["argocd", "Argo CD"],
  ["cdevents", "CDEvents"],
]);

/** A source as people write it. */
export const sourceName = (source: string): string => SOURCE_NAMES.get(source) ?? source;
