/**
 * Verification of archives in files.
 *
 * @module
 */

import { Failure, OsError } from "#src/errors.ts";
import { verifyArchive, type VerifyFinding } from "#src/pxar/verify.ts";
import type { ArchiveInput } from "#src/sources/pxar/archive_input.ts";

/** What a verification found. */
export interface VerificationResult {
  readonly findings: readonly VerifyFinding[];
  /** False when there may be more. */
  readonly isComplete: boolean;
}

/**
 * Verifies an archive; stops after `findingsMax`.
 *
 * @throws {OsError} when the archive cannot be read
 */
export function verifyFiles(
  archive: Pick<ArchiveInput, "openFiles">,
  findingsMax: number,
): VerificationResult {
  using files = archive.openFiles();
  const options = {
    name: files.name,
    payload: files.payload,
  };
  const findings: VerifyFinding[] = [];
  try {
    for (const finding of verifyArchive(files.source, options)) {
      findings.push(finding);
      if (findings.length >= findingsMax) return { findings, isComplete: false };
    }
  } catch (error) {
    // Nothing to go on with is a finding too; a disk that cannot be read is not the archive's
    // fault.
    if (!(error instanceof Failure) || error instanceof OsError) throw error;
    const { code, message } = error;
    findings.push({ code, message, path: undefined, offset: undefined });
  }
  return { findings, isComplete: true };
}
