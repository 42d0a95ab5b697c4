/**
 * Archives of directories made by the builder, decoded again.
 *
 * @module
 */

import assert from "node:assert/strict";
import { buildArchive, type BuildOptions, type BuildReport } from "#src/pxar/builder/mod.ts";
import { PxarDecoder } from "#src/pxar/decoder.ts";
import type { PxarEntry, PxarHardlink } from "#src/pxar/entry.ts";
import { CHECK_PXAR, MemorySink, sequentialBytes } from "#tests/support/pxar_fixtures.ts";
import { type CommandResult, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import type { CaseTree } from "./_exclude_cases.ts";

const TIMEOUT_MS = 60_000;

/** An entry of an archive with its content. */
export interface BuiltEntry {
  readonly entry: PxarEntry | PxarHardlink;
  /** Content of a regular file, else empty. */
  readonly content: Uint8Array;
}

/** An archive in memory. */
export interface Built {
  readonly report: BuildReport;
  readonly metadata: Uint8Array;
  readonly payload: Uint8Array | undefined;
  /** In the order of the archive. */
  readonly entries: ReadonlyMap<string, BuiltEntry>;
  readonly prelude: string | undefined;
}

/** Archives a directory in memory. */
export function build(directory: string, options: BuildOptions = {}, isSplit = false): Built {
  const metadata = new MemorySink();
  const payload = isSplit ? new MemorySink() : undefined;
  const sinks = payload === undefined ? { metadata } : { metadata, payload };
  const report = buildArchive(directory, sinks, options);
  const bytes = metadata.bytes();
  const payloadBytes = payload?.bytes();
  assert.equal(report.sizes?.metadataSize, bytes.length);
  assert.equal(report.sizes?.payloadSize, payloadBytes?.length);
  return { report, metadata: bytes, payload: payloadBytes, ...decode(bytes, payloadBytes) };
}

/** Decodes an archive. */
export function decode(
  bytes: Uint8Array,
  payload?: Uint8Array,
): Pick<Built, "entries" | "prelude"> {
  const decoder = new PxarDecoder(
    sequentialBytes(bytes),
    payload === undefined ? {} : { payload: sequentialBytes(payload) },
  );
  const entries = new Map<string, BuiltEntry>();
  let prelude: string | undefined;
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
    if (event.type === "prelude") prelude = new TextDecoder().decode(event.bytes);
    if (event.type !== "entry") continue;
    const { entry } = event;
    const content = new Uint8Array(entry.kind === "file" ? entry.payload.size : 0);
    for (let size = 0; size < content.length;) {
      const count = decoder.readContent(content.subarray(size));
      assert.ok(count > 0);
      size += count;
    }
    entries.set(event.path, { entry, content });
  }
  return { entries, prelude };
}

/** An entry that is not a hard link. */
export function entryAt(built: Built, path: string): PxarEntry {
  const found = built.entries.get(path);
  assert.ok(found !== undefined && found.entry.kind !== "hardlink", path);
  return found.entry;
}

/** Runs the independent checker on an archive, where it is there. */
export async function checkArchive(built: Built): Promise<void> {
  using scratch = new TempDirectory("check");
  const isSplit = built.payload !== undefined;
  Deno.writeFileSync(scratch.join(isSplit ? "a.mpxar" : "a.pxar"), built.metadata);
  if (isSplit) Deno.writeFileSync(scratch.join("a.ppxar"), built.payload!);
  await checkArchiveFile(scratch.join(isSplit ? "a.mpxar" : "a.pxar"));
}

/** Runs the independent checker on an archive file, where it is there. */
export async function checkArchiveFile(path: string): Promise<void> {
  if (CHECK_PXAR === undefined) return;
  await runCommand(["python3", CHECK_PXAR, path], { timeoutMs: TIMEOUT_MS });
}

/** Runs a tool. @returns undefined when it is not installed */
export async function tool(...command: string[]): Promise<CommandResult | undefined> {
  try {
    return await runCommand(command, { timeoutMs: TIMEOUT_MS, check: false });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Makes files, directories and links. */
export function makeTree(directory: string, tree: CaseTree): void {
  Deno.mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(tree)) {
    const path = `${directory}/${name}`;
    if (content === null) {
      Deno.mkdirSync(path, { recursive: true });
      continue;
    }
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    if (typeof content === "string") Deno.writeTextFileSync(path, content);
    else Deno.symlinkSync(content.symlink, path);
  }
}

/** Whether this process is root's. */
export const IS_ROOT: boolean = Deno.uid() === 0;
