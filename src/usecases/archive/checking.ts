/**
 * Whether all of a tree can be read, and is what its checksums say.
 *
 * @module
 */

import { ContentError, Failure } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type { VerifyFinding } from "#src/pxar/verify.ts";
import { CONTROL_FILE_PATH, hasDamagedControlFile } from "#src/sources/postgres_facts.ts";
import { readChecked } from "#src/transfer/content.ts";
import { walkEntries } from "#src/transfer/walk.ts";
import type { ArchiveSources } from "#src/sources/pxar/archive_files.ts";
import type { ArchiveInput } from "#src/sources/pxar/archive_input.ts";
import type { TreeInput } from "./trees.ts";
import { type VerificationResult, verifyFiles } from "./verification.ts";

/** How a check is done. */
export interface CheckOptions {
  /** It stops after so many findings. */
  readonly findingsMax: number;
  /** Hears of bytes that were read, all in all. */
  onProgress(readBytes: number): void;
}

/**
 * Reads all there is. Of an archive every entry, table, offset and content is checked; whatever a
 * source has checksums of (pages, files, chunks, lists) is compared with them as it is read, and so
 * is the control file of a data directory with the one that it has inside.
 *
 * @throws {OsError} when an archive cannot be read
 */
export function checkTree(input: TreeInput, options: CheckOptions): VerificationResult {
  const result = input.archive === undefined
    ? checkEntries(input, options)
    : verifyFiles(counting(input.archive, options), options.findingsMax);
  const isFound = result.findings.some(({ path }) => path === CONTROL_FINDING.path);
  if (isFound || !result.isComplete || !isControlFileWrong(input, result)) return result;
  return { ...result, findings: [...result.findings, CONTROL_FINDING] };
}

const CONTROL_FINDING: VerifyFinding = {
  code: "integrity",
  path: `/${CONTROL_FILE_PATH}`,
  offset: undefined,
  message: "Content is damaged: the checksum that the control file has inside is wrong",
};

function isControlFileWrong(input: TreeInput, { findings }: VerificationResult): boolean {
  try {
    using open = input.openTree();
    return hasDamagedControlFile(open.tree);
  } catch (error) {
    // Why it cannot be opened is among the findings.
    if (error instanceof Failure && findings.length > 0) return false;
    throw error;
  }
}

function checkEntries(input: TreeInput, options: CheckOptions): VerificationResult {
  const findings: VerifyFinding[] = [];
  let readBytes = 0;
  const find = (path: string, error: unknown) => {
    if (!(error instanceof Failure)) throw error;
    findings.push(findingOf(path, error));
  };
  using open = input.openTree();
  for (const { path, entry } of walkEntries(open.tree, { onDamage: find })) {
    if (entry.kind === "file") {
      try {
        entry.checkStored?.();
        for (const bytes of readChecked(entry)) options.onProgress(readBytes += bytes.length);
      } catch (error) {
        find(path, error);
      }
    }
    if (findings.length >= options.findingsMax) return { findings, isComplete: false };
  }
  return { findings, isComplete: true };
}

/** What is so damaged that it cannot even be opened, as a result. */
export function unreadable(error: ContentError): VerificationResult {
  return { findings: [findingOf(undefined, error)], isComplete: false };
}

function findingOf(path: string | undefined, error: Failure): VerifyFinding {
  const { code, message } = error;
  const offset = error instanceof ContentError ? error.offset : undefined;
  return { code, path, offset, message };
}

/** The archive, whose readers tell how much they have read. */
function counting(
  archive: ArchiveInput,
  { onProgress }: CheckOptions,
): Pick<ArchiveInput, "openFiles"> {
  let readBytes = 0;
  const counted = (source: ByteSource): ByteSource => ({
    size: source.size,
    readAt(target, start, size, offset) {
      const count = source.readAt(target, start, size, offset);
      onProgress(readBytes += count);
      return count;
    },
    close: () => source.close(),
  });
  return {
    openFiles(): ArchiveSources {
      const files = archive.openFiles();
      const { name, source, payload } = files;
      return {
        name,
        source: counted(source),
        payload: payload && counted(payload),
        [Symbol.dispose]: () => files[Symbol.dispose](),
      };
    },
  };
}
