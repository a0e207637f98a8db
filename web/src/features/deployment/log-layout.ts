// Where each line of a log stands, in rows. A monospaced line's height is arithmetic, so nothing is measured and a
// hundred thousand lines cost no layout. A wide sign is counted generously: it may leave room, it is never cut off.

/** The places of lines; wrapped at so many columns, or one row each. */
export class LogLayout {
  readonly columns: number | null;
  /** The row after each line, while lines wrap. */
  readonly #ends: number[] = [];
  #lines = 0;
  #settled = 0;

  constructor(columns: number | null) {
    this.columns = columns === null ? null : Math.max(1, columns);
  }

  /** Takes lines that came since; of those before `closed` it has seen, it knows the height for good. */
  extend(cells: readonly number[], closed: number): void {
    this.#lines = cells.length;
    if (this.columns === null) return;
    this.#ends.length = Math.min(this.#ends.length, this.#settled);
    for (let index = this.#ends.length; index < cells.length; index++) {
      const rows = Math.max(1, Math.ceil((cells[index] ?? 0) / this.columns));
      this.#ends.push((this.#ends[index - 1] ?? 0) + rows);
    }
    this.#settled = closed;
  }

  /** How many rows there are. */
  get rows(): number {
    return this.columns === null ? this.#lines : (this.#ends.at(-1) ?? 0);
  }

  /** The row that a line begins at. */
  top(line: number): number {
    return this.columns === null ? line : (this.#ends[line - 1] ?? 0);
  }

  /** How many rows a line takes. */
  height(line: number): number {
    return this.columns === null ? 1 : (this.#ends[line] ?? 0) - this.top(line);
  }

  /** The line that a row belongs to; the first or the last for one beyond. */
  lineAt(row: number): number {
    const last = Math.max(0, this.#lines - 1);
    if (this.columns === null) return Math.min(last, Math.max(0, row));
    let low = 0;
    let high = last;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ends[middle] ?? 0) > row) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
