// What a deployment is called where there is room for one line.

import type { Deployment } from "@shipboard/client";
import { subjectOf } from "~/shared/format";

/** The commit's subject, else the version, else its id at the source. */
export function titleOf(row: Deployment): string {
  const subject = row.commit.message && subjectOf(row.commit.message);
  return subject || row.version || row.external_id;
}

const SOURCE_NAMES: ReadonlyMap<string, string> = new Map([
  ["github", "GitHub"],
  ["gitlab", "GitLab"],
  ["argocd", "Argo CD"],
  ["cdevents", "CDEvents"],
]);

/** A source as people write it. */
export const sourceName = (source: string): string => SOURCE_NAMES.get(source) ?? source;
