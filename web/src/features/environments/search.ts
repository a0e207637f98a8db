// The matrix's view as its query string and back. What is default is left out, what is not understood is dropped.

/** The query string's fields, as text. */
export interface MatrixSearch {
  /** What is looked for in all environments: a sha, tag or version. */
  readonly where?: string;
  /** A part of the workflow's name. */
  readonly q?: string;
  /** `1`: only rows with a difference between neighbours. */
  readonly drift?: string;
  readonly sort?: string;
}

/** The orders of rows. */
export const MATRIX_SORTS = ["activity", "name"] as const;

/** One of the orders. */
export type MatrixSort = (typeof MATRIX_SORTS)[number];

const FIELDS = ["where", "q", "drift", "sort"] as const;

/** Takes the known fields of a query string. */
export function readSearch(raw: Readonly<Record<string, unknown>>): MatrixSearch {
  const read: Partial<Record<(typeof FIELDS)[number], string>> = {};
  for (const field of FIELDS) {
    const value = raw[field];
    if (typeof value === "string" && value.trim() !== "") read[field] = value.trim();
  }
  return read;
}

/** The search with one field changed; an empty value takes it out. */
export function withField(search: MatrixSearch, field: keyof MatrixSearch, value: string): MatrixSearch {
  const { [field]: _, ...rest } = search;
  return value === "" ? rest : { ...rest, [field]: value };
}

/** The order that the search asks for. */
export const sortOf = ({ sort }: MatrixSearch): MatrixSort =>
  MATRIX_SORTS.find((one) => one === sort) ?? "activity";

/** The search as a query string, with its question mark, or nothing. */
export function writeSearch(search: MatrixSearch): string {
  const query = new URLSearchParams();
  for (const field of FIELDS) {
    const value = search[field];
    if (value) query.set(field, value);
  }
  const text = query.toString();
  return text && `?${text}`;
}
