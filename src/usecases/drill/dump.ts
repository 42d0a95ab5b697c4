/**
 * A dump of everything, which nobody keeps: each row is read as the server shows it.
 *
 * @module
 */

import { findClient, type ServerBinaries } from "#src/postgres/binaries.ts";
import type { ConnectionTarget } from "#src/postgres/connection.ts";
import { placeIn } from "./amcheck.ts";
import { type CheckEnd, Findings } from "./report.ts";

/** What is dumped. */
export interface DumpRequest {
  readonly target: ConnectionTarget;
  readonly binaries: ServerBinaries;
  readonly programPath: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onBytes: (count: number) => void;
}

const ERRORS_LENGTH_MAX = 64 << 10;

/** Dumps all databases to nowhere. */
export async function runDump(request: DumpRequest): Promise<CheckEnd> {
  const { target, binaries, programPath, signal, onBytes } = request;
  const findings = new Findings();
  const program = findClient("pg_dumpall", binaries, {
    path: programPath,
    isServerVersion: true,
  });
  if (program === undefined) {
    findings.add({
      message: `There is no pg_dumpall for PostgreSQL ${binaries.version} here: install a client`,
    });
    return { summary: "no dump", findings };
  }
  const child = new Deno.Command(program, {
    args: ["-h", target.socketDirectory, "-p", `${target.port}`, "-U", target.user]
      .concat("-l", target.database, "--no-password", "--no-sync"),
    env: { LC_ALL: "C" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...(signal === undefined ? {} : { signal }),
  }).spawn();
  const [bytes, errors, { code }] = await Promise.all([
    countBytes(child.stdout, onBytes),
    readStart(child.stderr),
    child.status,
  ]);
  signal?.throwIfAborted();
  const lines = errors.split("\n").filter((line) => /\b(?:error|fatal):/iu.test(line));
  for (const line of lines) findings.add({ message: line, ...placeIn(line) });
  if (code !== 0 && findings.count === 0) {
    findings.add({ message: `pg_dumpall ended with ${code}: ${errors.trim()}` });
  }
  return { summary: `${bytes} bytes`, counts: { bytes }, findings };
}

async function countBytes(
  stream: ReadableStream<Uint8Array>,
  onBytes: (count: number) => void,
): Promise<number> {
  let count = 0;
  for await (const part of stream) onBytes(count += part.length);
  return count;
}

/** Reads all of it, keeps the start. */
async function readStart(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    if (text.length < ERRORS_LENGTH_MAX) text += part;
  }
  return text;
}
