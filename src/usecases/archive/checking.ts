/**
 * Whether all of a tree can be read, and is what its checksums say.
 *
 * @module
 */

import { ContentError, Failure } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type { VerifyFinding } from "#src/pxar/verify.ts";
import { readPieces } from "#src/transfer/content.ts";
import { ContentChecksum } from "#src/tree/content_checksum.ts";
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
 * source has checksums of (pages, files, chunks, lists) is compared with them as it is read.
 *
 * @throws {OsError} when an archive cannot be read
 */
export function checkTree(input: TreeInput, options: CheckOptions): VerificationResult {
  return input.archive === undefined
    ? checkEntries(input, options)
    : verifyFiles(counting(input.archive, options), options.findingsMax);
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
        const checksum = ContentChecksum.of(entry);
        for (const bytes of readPieces(entry)) {
          checksum?.add(bytes);
          options.onProgress(readBytes += bytes.length);
        }
        checksum?.check(path);
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
