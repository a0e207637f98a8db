// Which workflows the matrix shows, and in which order. While somebody is busy with it rows keep their places.

import type { Matrix, MatrixRow } from "./matrix";
import type { MatrixSearch, MatrixSort } from "./search";
import { sortOf } from "./search";

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const COMPARE = {
  activity: (a, b) => byText(b.at, a.at) || byText(a.id, b.id),
  name: (a, b) => a.name.localeCompare(b.name) || byText(a.id, b.id),
} satisfies Record<MatrixSort, (a: MatrixRow, b: MatrixRow) => number>;

/** The ids of the rows that are asked for, in the order that is asked for. */
export function arrange({ rows }: Matrix, search: MatrixSearch): string[] {
  const text = search.q?.toLowerCase() ?? "";
  const wanted = [...rows.values()].filter(
    (row) =>
      (text === "" || row.name.toLowerCase().includes(text) || row.id.includes(text)) &&
      (search.drift !== "1" || row.drifts),
  );
  return wanted.sort(COMPARE[sortOf(search)]).map((row) => row.id);
}
