// Equality of plain JSON values, so that what did not change keeps its identity through a snapshot. Not for
// dates, maps or anything else that JSON does not know.

/** Whether two JSON values are the same all the way down. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((value, index) => sameJson(value, b[index]));
  }
  const left = Object.entries(a);
  const right = new Map(Object.entries(b));
  return (
    left.length === right.size &&
    left.every(([key, value]) => right.has(key) && sameJson(value, right.get(key)))
  );
}

/** The old value if the new one says the same, so that identity means change. */
export const keep = <Value>(old: Value, fresh: Value): Value => (sameJson(old, fresh) ? old : fresh);
