/**
 * Reads messages of HTTP/1.1 from a connection: heads, and bodies whose end is checked.
 *
 * @module
 */

import { FormatError, LimitError, ProtocolError } from "#src/errors.ts";
import type { Connection } from "#src/net/connection.ts";
import { within } from "#src/net/deadline.ts";
import { PartedBody } from "#src/net/parted_body.ts";
import { type BodyFraming, HEAD_SIZE_MAX, type MessageHead, parseHead } from "./head.ts";

/** A line with the size of a chunk, extensions included; or one behind the last chunk. */
const CHUNK_LINE_SIZE_MAX = 1_024;
const TRAILER_LINES_MAX = 32;
const LINE_FEED = 0x0a;

/** Reads one message after the other. What was read too far is put back into the connection. */
export class MessageReader {
  /** The connection must not be read by anybody else meanwhile. */
  constructor(readonly connection: Connection) {}

  /**
   * The next head; undefined when the peer ended before its first byte.
   *
   * @throws {FormatError} see {@link parseHead}
   * @throws {LimitError} when it is too large
   * @throws {ProtocolError} when it is cut
   */
  async head(): Promise<MessageHead | undefined> {
    let line = await this.#line(HEAD_SIZE_MAX);
    // Some clients send an empty line behind a body.
    if (line === "") line = await this.#line(HEAD_SIZE_MAX);
    if (line === undefined) return undefined;
    const lines = [line];
    let size = line.length;
    while (true) {
      const next = await this.#line(HEAD_SIZE_MAX - size);
      if (next === undefined) throw this.cut();
      if (next === "") return parseHead(lines.join("\r\n"));
      lines.push(next);
      size += next.length + 2;
    }
  }

  /** A line without its end; undefined when nothing comes. */
  async #line(sizeMax: number): Promise<string | undefined> {
    let text = "";
    while (true) {
      const part = await this.connection.read();
      if (part === undefined) {
        if (text === "") return undefined;
        throw this.cut();
      }
      const end = part.indexOf(LINE_FEED);
      const taken = end < 0 ? part : part.subarray(0, end + 1);
      if (text.length + taken.length > sizeMax + 2) {
        throw new LimitError(`${this.connection.peer} has sent a head that is too large`);
      }
      text += characters(taken);
      if (end < 0) continue;
      this.connection.unread(part.subarray(end + 1));
      if (!text.endsWith("\r\n")) throw new FormatError("A line of the message has no proper end");
      return text.slice(0, -2);
    }
  }

  /** The size of the next chunk; after the last one, 0, what follows it is read, too. */
  async chunkSize(): Promise<number> {
    const line = await this.#line(CHUNK_LINE_SIZE_MAX);
    if (line === undefined) throw this.cut();
    const digits = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/u.exec(line)?.[1];
    if (digits === undefined) throw new FormatError("The size of a chunk is malformed");
    const size = parseInt(digits, 16);
    if (size > 0) return size;
    for (let count = 0; count < TRAILER_LINES_MAX; count++) {
      const trailer = await this.#line(CHUNK_LINE_SIZE_MAX);
      if (trailer === undefined) throw this.cut();
      if (trailer === "") return 0;
    }
    throw new LimitError("There are too many fields behind the last chunk");
  }

  /** What stands behind each chunk. */
  async chunkEnd(): Promise<void> {
    if (await this.#line(0) !== "") throw new FormatError("A chunk is longer than its size says");
  }

  /** At most `sizeMax` bytes of a body. */
  async bytes(sizeMax: number): Promise<Uint8Array<ArrayBuffer>> {
    const part = await this.connection.read();
    if (part === undefined) throw this.cut();
    if (part.length <= sizeMax) return part;
    this.connection.unread(part.subarray(sizeMax));
    return part.subarray(0, sizeMax);
  }

  /** The peer ended too early. */
  cut(): ProtocolError {
    const message = `${this.connection.peer} has ended the connection within a message`;
    return new ProtocolError(message, { code: "connection", isTemporary: true });
  }
}

function characters(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** What a body is told by whoever owns the connection. */
export interface BodyOptions {
  /** Between two parts. */
  readonly timeoutMs: number;
  /** Awaited before the first part is read. */
  readonly onStart?: (() => Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A body of HTTP/1.1. */
export class MessageBody extends PartedBody {
  readonly length: number | undefined;
  readonly #reader: MessageReader;
  readonly #framing: BodyFraming;
  readonly #options: BodyOptions;
  /** Of the body, or of the chunk that is being read. */
  #left: number;
  #hasStarted = false;
  #isWhole: boolean;
  #settle!: (isWhole: boolean) => void;
  /** Resolves when nobody reads any more: true when the next message can be read. */
  readonly settled: Promise<boolean>;

  constructor(reader: MessageReader, framing: BodyFraming, options: BodyOptions) {
    super();
    this.#reader = reader;
    this.#framing = framing;
    this.#options = options;
    this.length = framing.kind === "length" ? framing.length : undefined;
    this.#left = this.length ?? 0;
    this.settled = new Promise((resolve) => this.#settle = resolve);
    this.#isWhole = this.length === 0;
    if (this.#isWhole) this.#settle(true);
  }

  /** Whether all was read. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#isWhole) return undefined;
    const { timeoutMs, signal } = this.#options;
    const { connection } = this.#reader;
    try {
      if (!this.#hasStarted) {
        this.#hasStarted = true;
        await this.#options.onStart?.();
      }
      const what = "has sent nothing of a body";
      const part = await within(connection, timeoutMs, what, () => this.#next(), signal);
      if (this.#isWhole) this.#settle(true);
      return part;
    } catch (error) {
      connection.destroy();
      this.#settle(false);
      if (!(error instanceof FormatError || error instanceof LimitError)) throw error;
      throw new ProtocolError(`${connection.peer}: ${error.message}`, { cause: error });
    }
  }

  async #next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#framing.kind === "chunked" && this.#left === 0) {
      this.#left = await this.#reader.chunkSize();
      if (this.#left === 0) {
        this.#isWhole = true;
        return undefined;
      }
    }
    const part = await this.#reader.bytes(this.#left);
    this.#left -= part.length;
    if (this.#left === 0) {
      if (this.#framing.kind === "chunked") await this.#reader.chunkEnd();
      else this.#isWhole = true;
    }
    return part;
  }

  discard(): void {
    this.#settle(this.#isWhole);
  }

  /** Reads what is left of a body that nobody wanted, if it is small. */
  async drain(sizeMax: number): Promise<boolean> {
    let left = sizeMax;
    while (!this.#isWhole && left >= 0 && (this.length === undefined || this.#left <= sizeMax)) {
      left -= (await this.read())?.length ?? 0;
    }
    return this.#isWhole;
  }
}
