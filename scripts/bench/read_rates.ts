/**
 * Read rates of one file by one or more client processes.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { denoRunCommand } from "#tests/support/process.ts";
import type { ReaderResult } from "./reader.ts";

const READER = fileURLToPath(new URL("./reader.ts", import.meta.url));

/** How a client goes through its share of the file. */
export type ReadMode = "sequential" | "random";

/** What all clients together reached. */
export interface ReadRate {
  readonly readsPerSecond: number;
  readonly megabytesPerSecond: number;
}

/** A client process and its lines. */
class Client {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #rest = "";

  constructor(mode: ReadMode, index: number, count: number, path: string) {
    const args = [mode, String(index), String(count), path];
    const [program, ...rest] = denoRunCommand(["--allow-ffi", "--allow-read"], READER, args);
    this.#child = new Deno.Command(program!, { args: rest, stdin: "piped", stdout: "piped" })
      .spawn();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  async line(): Promise<string> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error("A reader ended before its time");
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return line;
  }

  async start(): Promise<void> {
    const writer = this.#child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("\n"));
    await writer.close();
  }

  async result(): Promise<ReaderResult> {
    const result = JSON.parse(await this.line()) as ReaderResult;
    await this.#lines.cancel();
    await this.#child.status;
    return result;
  }
}

/** Reads the whole file once, shared out among `count` clients that start at the same moment. */
export async function measureReads(mode: ReadMode, path: string, count: number): Promise<ReadRate> {
  const clients = Array.from({ length: count }, (_, index) => new Client(mode, index, count, path));
  for (const client of clients) await client.line();
  for (const client of clients) await client.start();
  let readsPerSecond = 0;
  let bytesPerSecond = 0;
  for (const client of clients) {
    const { reads, bytes, seconds } = await client.result();
    readsPerSecond += reads / seconds;
    bytesPerSecond += bytes / seconds;
  }
  return { readsPerSecond, megabytesPerSecond: bytesPerSecond / 1e6 };
}
