// The form of an event stream (WHATWG HTML, 9.2.6): lines and blocks out of chunks that may end anywhere. What
// a message means is decode.ts; the `event:` field is not read, because the type stands in the message.

/** What is found in a stream, block by block. */
export interface BlockListener {
  id(id: string): void;
  message(data: string): void;
  retry(ms: number): void;
  /** A block longer than the limit: the rest of the stream is not read. */
  overflow(): void;
}

/** Gives what takes the stream's text, chunk by chunk. */
export function createBlockReader(limit: number, listener: BlockListener): (chunk: string) => void {
  let held = "";
  let id: string | null = null;
  let data: string[] = [];
  let size = 0;

  const read = (line: string) => {
    if (line === "") {
      if (id !== null) listener.id(id);
      if (data.length > 0) listener.message(data.join("\n"));
      id = null;
      data = [];
      size = 0;
      return;
    }
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === "data") {
      data.push(value);
      size += value.length;
    } else if (field === "id" && !value.includes("\0")) id = value;
    else if (field === "retry" && /^\d+$/.test(value)) listener.retry(Number(value));
  };

  return (chunk) => {
    if (size > limit) return;
    // What is held is not searched again: a long line may come in very many chunks.
    const ends = held.endsWith("\r") || /[\r\n]/.test(chunk);
    held += chunk;
    if (ends) {
      // A carriage return at the very end may be the first half of a line's end.
      const lines = held.split(/\r\n|\n|\r(?!$)/);
      held = lines.pop() ?? "";
      for (const line of lines) if (size <= limit) read(line);
    }
    if (size + held.length <= limit) return;
    size = Number.POSITIVE_INFINITY;
    listener.overflow();
  };
}
