/**
 * What a server writes to its standard error: its end is kept, and lines are told to whoever waits
 * for them.
 *
 * @module
 */

const LINES_MAX = 400;
const LINE_LENGTH_MAX = 2000;

/** Lines in which a server says why it does not go on. */
const FAILURE = /^(?:FATAL|PANIC|ERROR|DETAIL|HINT|CONTEXT):/u;

/** See the head of the module. */
export class ServerLog {
  readonly #lines: string[] = [];
  readonly #waiting = new Set<Waiting>();
  /** Settles when the server has closed its standard error. */
  readonly ended: Promise<void>;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.ended = this.#read(stream);
  }

  /** Settles with the first line from now on that matches; never, when none comes. */
  line(pattern: RegExp): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#waiting.add({ pattern, resolve });
    return promise;
  }

  /** Calls for each line from now on. */
  onLine: ((line: string) => void) | undefined;

  /** The last lines. */
  tail(count: number): string[] {
    return this.#lines.slice(-count);
  }

  /** The lines in which the server says what is wrong, the last ones. */
  failures(count: number): string[] {
    return this.#lines.filter((line) => FAILURE.test(line)).slice(-count);
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    let rest = "";
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + part).split("\n");
      rest = lines.pop()!.slice(0, LINE_LENGTH_MAX);
      for (const line of lines) this.#add(line);
    }
    if (rest !== "") this.#add(rest);
  }

  #add(text: string): void {
    const line = text.slice(0, LINE_LENGTH_MAX);
    this.#lines.push(line);
    if (this.#lines.length > LINES_MAX) this.#lines.shift();
    this.onLine?.(line);
    for (const waiting of this.#waiting) {
      if (!waiting.pattern.test(line)) continue;
      this.#waiting.delete(waiting);
      waiting.resolve(line);
    }
  }
}

interface Waiting {
  readonly pattern: RegExp;
  readonly resolve: (line: string) => void;
}
