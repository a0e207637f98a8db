// Readers: small functions that take a value from outside and give it back checked, or throw. They are what
// decode.ts writes its tables with; a field's type and its reader cannot part, or it does not compile.

/** Gives the value as this type, or throws; the field's name is for whoever has to find out why. */
export type Read<Type> = (value: unknown, field: string) => Type;

/** A reader for each field. */
export type Fields<Type> = { readonly [Name in keyof Type]-?: Read<Type[Name]> };

function wrong(field: string): never {
  throw new TypeError(`unfit: ${field}`);
}

export const text: Read<string> = (value, field) => (typeof value === "string" ? value : wrong(field));

export const flag: Read<boolean> = (value, field) => (typeof value === "boolean" ? value : wrong(field));

export const number: Read<number> = (value, field) =>
  typeof value === "number" && Number.isFinite(value) ? value : wrong(field);

/** Ids and offsets: whole numbers that a double holds exactly. */
export const count: Read<number> = (value, field) => {
  const read = number(value, field);
  return Number.isSafeInteger(read) && read >= 0 ? read : wrong(field);
};

/** One of a closed set of words. */
// @__NO_SIDE_EFFECTS__
export function word<Word extends string>(words: readonly Word[]): Read<Word> {
  return (value, field) => words.find((one) => one === value) ?? wrong(field);
}

/** What stands there, or this where nothing does. */
// @__NO_SIDE_EFFECTS__
export function or<Type, Instead>(read: Read<Type>, instead: Instead): Read<Type | Instead> {
  return (value, field) => (value === null || value === undefined ? instead : read(value, field));
}

// @__NO_SIDE_EFFECTS__
export function list<Item>(read: Read<Item>): Read<Item[]> {
  return (value, field) =>
    Array.isArray(value) ? value.map((item: unknown) => read(item, field)) : wrong(field);
}

/** An object with these fields; what else it has is dropped. An absent optional field stays absent. */
// @__NO_SIDE_EFFECTS__
export function object<Type>(fields: Fields<Type>, optional: readonly (keyof Type)[] = []): Read<Type> {
  const names = Object.keys(fields) as (keyof Type & string)[];
  return (value, field) => {
    const given = record(value, field);
    const read: Partial<Type> = {};
    for (const name of names) {
      if (name in given || !optional.includes(name)) read[name] = fields[name](given[name], name);
    }
    return read as Type;
  };
}

/** One of several shapes, told apart by the word in a field. */
// @__NO_SIDE_EFFECTS__
export function variant<Type>(field: string, shapes: Readonly<Record<string, Read<Type>>>): Read<Type> {
  return (value, outer) => {
    const shape = text(record(value, outer)[field], field);
    return Object.hasOwn(shapes, shape) ? (shapes[shape]?.(value, shape) ?? wrong(field)) : wrong(field);
  };
}

function record(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong(field);
  return value as Record<string, unknown>;
}
