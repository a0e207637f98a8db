// Which workflows are shown, and in which order: last activity, as the client keeps it, with those on top whose
// latest deployment failed if that is wished, and those alone whose name has the text.

import type { Workflow } from "@shipboard/client";

/** What the page's address asks for. */
export interface Wish {
  readonly pinFailing: boolean;
  /** A part of the name, in any case; empty for all. */
  readonly text: string;
}

/** The ids to show, from the ids in order of last activity. */
export function arrange(
  ids: readonly string[],
  workflows: ReadonlyMap<string, Workflow>,
  { pinFailing, text }: Wish,
): readonly string[] {
  const wanted = text.toLowerCase();
  const fits = (id: string) =>
    id.includes(wanted) || (workflows.get(id)?.name.toLowerCase().includes(wanted) ?? false);
  const shown = wanted === "" ? ids : ids.filter(fits);
  if (!pinFailing) return shown;
  const fails = (id: string) => workflows.get(id)?.latest?.status === "failed";
  return [...shown.filter(fails), ...shown.filter((id) => !fails(id))];
}
