import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LogReader, lastBytes, WHOLE_LOG_BYTES } from "./log-reader";

const encoder = new TextEncoder();

/** The live state of a log of which the last `held` bytes are held. */
const live = (text: string, held = text.length, epoch = "e1") => ({
  loaded: true,
  epoch,
  offset: text.length - held,
  end: text.length,
  text: text.slice(text.length - held),
});

const served = (text: string) => {
  const requests: number[] = [];
  const read = async (offset: number): Promise<Response> => {
    requests.push(offset);
    return new Response(text.slice(offset));
  };
  return { requests, read };
};

const until = async (reader: LogReader, met: () => boolean): Promise<void> => {
  if (met()) return;
  await new Promise<void>((resolve) => {
    const stop = reader.subscribe(() => {
      if (!met()) return;
      stop();
      resolve();
    });
  });
};

const TEXT = Array.from({ length: 400 }, (_, index) => `line ${index + 1}\n`).join("");

test("a log that the stream holds whole asks the server for nothing", () => {
  const { requests, read } = served(TEXT);
  const reader = new LogReader(read);
  reader.hear(live("one\n"));
  reader.hear(live("one\ntwo\n"));
  expect(reader.get().document.texts).toEqual(["one", "two"]);
  expect(requests).toEqual([]);
});

test("the tail stands alone until the beginning has been read, then the log is whole", async () => {
  const { requests, read } = served(TEXT);
  const reader = new LogReader(read);
  reader.hear(live(TEXT, 50));
  expect(reader.get().document.start).toBe(TEXT.length - 50);
  await until(reader, () => reader.get().document.start === 0);
  expect(reader.get().document.plainText()).toBe(TEXT);
  expect(reader.get().missing).toBeNull();
  expect(requests).toEqual([0]);
});

test("what is appended while the beginning is read is there once, even if the stream has let go of its own", async () => {
  const longer = `${TEXT}more\nand more\n`;
  const { read } = served(TEXT);
  const again = served(longer);
  const reader = new LogReader((offset) => (offset === 0 ? read(offset) : again.read(offset)));
  reader.hear(live(TEXT, 50));
  reader.hear(live(longer, 9));
  await until(reader, () => reader.get().document.start === 0);
  expect(reader.get().document.plainText()).toBe(longer);
});

test("after a hole in the stream the missing part is read, and nothing else", async () => {
  const { requests, read } = served(TEXT);
  const reader = new LogReader(read);
  const beginning = TEXT.slice(0, 700);
  reader.hear(live(beginning));
  reader.hear(live(TEXT, 50));
  await until(reader, () => reader.get().document.start === 0);
  expect(reader.get().document.plainText()).toBe(TEXT);
  expect(requests).toEqual([700]);
});

test("a log of another epoch, or one that became shorter, is read anew", () => {
  const reader = new LogReader(served("").read);
  reader.hear(live("old\nlog\n"));
  reader.hear(live("new\n", 4, "e2"));
  expect(reader.get().document.texts).toEqual(["new"]);
  reader.hear(live("n", 1, "e2"));
  expect(reader.get().document.texts).toEqual(["n"]);
});

test("a very long log is read to its beginning only when asked for", () => {
  const { requests, read } = served(TEXT);
  const reader = new LogReader(read);
  const far = { ...live(TEXT, 50), offset: WHOLE_LOG_BYTES + 1, end: WHOLE_LOG_BYTES + 51 };
  reader.hear(far);
  expect(reader.get().missing).toBe("too_long");
  expect(requests).toEqual([]);
  reader.loadWhole();
  expect(requests).toEqual([0]);
  reader.close();
});

test("a beginning that cannot be read is said to be missing, and can be asked for again", async () => {
  let refuse = true;
  const { read } = served(TEXT);
  const reader = new LogReader(async (offset) => (refuse ? new Response("", { status: 503 }) : read(offset)));
  reader.hear(live(TEXT, 50));
  await until(reader, () => reader.get().missing === "failed");
  refuse = false;
  reader.loadWhole();
  await until(reader, () => reader.get().document.start === 0);
  expect(reader.get().document.plainText()).toBe(TEXT);
});

test("the last bytes of a text are whole letters", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (before, after) => {
      expect(lastBytes(before + after, encoder.encode(after).length)).toBe(after);
    }),
  );
});
