// A stream server in memory behind the `fetch` seam: a test says what is on each connection, byte by byte if
// it likes. It knows the wire's form (blocks, ids, heartbeats) and nothing of what messages mean.

import type { Envelope } from "../protocol/types";
import { EPOCH } from "./build";
import { type Request, settle, type World } from "./world";

const encoder = new TextEncoder();

/** One connection as the server sees it. */
export class ServerStream {
  readonly request: Request;
  readonly response: Response;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #closed = false;

  constructor(request: Request) {
    this.request = request;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.#closed = true;
      },
    });
    request.init.signal?.addEventListener("abort", () => this.breakOff());
    this.response = new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  }

  /** Whether the connection has ended, from either side. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Sends text as it is. */
  async raw(text: string): Promise<void> {
    await this.bytes(encoder.encode(text));
  }

  /** Sends bytes as they are. */
  async bytes(bytes: Uint8Array): Promise<void> {
    if (!this.#closed) this.#controller?.enqueue(bytes);
    await settle();
  }

  /** Sends a message as a block, with its id unless it is null. */
  async send(message: Envelope, id: string | null = `${EPOCH}.${message.event_id}`): Promise<void> {
    const line = id === null ? "" : `id: ${id}\n`;
    await this.raw(`${line}event: ${message.type}\ndata: ${JSON.stringify(message)}\n\n`);
  }

  /** A comment and a bare id. */
  async heartbeat(id = `${EPOCH}.0`): Promise<void> {
    await this.raw(`: heartbeat\nid: ${id}\n\n`);
  }

  /** Ends the body cleanly. */
  async end(): Promise<void> {
    if (!this.#closed) this.#controller?.close();
    this.#closed = true;
    await settle();
  }

  /** Breaks the connection. */
  breakOff(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#controller?.error(new TypeError("network error"));
  }
}

/** What a server answers a request with; null goes on to the next rule. */
export type Rule = (request: Request) => Response | Promise<Response> | null;

/** A server whose streams are open until a test ends them. */
export class StreamServer {
  readonly streams: ServerStream[] = [];
  #rules: Rule[] = [];
  /** Refuses every stream with this answer, while it is set. */
  refuse: (() => Response) | null = null;

  constructor(world: World) {
    world.answer((request) => {
      for (const rule of this.#rules) {
        const answer = rule(request);
        if (answer) return answer;
      }
      if (!request.headers.get("Accept")?.includes("event-stream")) return problem(404);
      if (this.refuse) return this.refuse();
      const stream = new ServerStream(request);
      this.streams.push(stream);
      return stream.response;
    });
  }

  /** Answers some requests by a rule of the test's, before anything else; the latest rule goes first. */
  rule(rule: Rule): void {
    this.#rules.unshift(rule);
  }

  /** The latest connection. */
  get last(): ServerStream {
    const stream = this.streams.at(-1);
    if (!stream) throw new Error("StreamServer: nobody has connected");
    return stream;
  }

  /** The connections that are open. */
  get open(): ServerStream[] {
    return this.streams.filter((stream) => !stream.closed);
  }
}

/** A JSON answer. */
export const json = (value: unknown, status = 200): Response =>
  new Response(JSON.stringify(value), { status, headers: { "Content-Type": "application/json" } });

/** A problem answer. */
export const problem = (status: number, headers: Record<string, string> = {}): Response =>
  new Response(
    JSON.stringify({ type: "about:blank", title: `Problem ${status}`, status, request_id: "r-1" }),
    {
      status,
      headers: { "Content-Type": "application/problem+json", ...headers },
    },
  );
