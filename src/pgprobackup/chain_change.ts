/**
 * What became of a chain since it was opened.
 *
 * @module
 */

import { hostFiles, isDirectory } from "#src/io/files/files.ts";
import { Failure } from "#src/errors.ts";
import type { Chain, ChainMember } from "./chain.ts";
import { parseBackupControl } from "./format/control.ts";
import { KEY_VALUES_SIZE_MAX } from "./format/key_values.ts";

/**
 * Why files of an opened chain may be gone or changed, as its backups tell now.
 *
 * @param failure what went wrong; where it names a file of the chain there is always an answer
 * @returns undefined when the backups are what they were
 */
export function describeChainChange(chain: Chain, failure = ""): string | undefined {
  for (const member of chain) {
    const change = describeChange(member);
    if (change !== undefined) return `backup ${member.id} ${change}`;
  }
  const owner = chain.find((member) => failure.includes(`${member.directory}/`));
  return owner &&
    `a file of backup ${owner.id} is damaged, or was changed by pg_probackup merge, delete or ` +
      "retention while mounted; pg_probackup validate tells more";
}

function describeChange({ id, directory, control }: ChainMember): string | undefined {
  const path = `${directory}/backup.control`;
  try {
    if (!isDirectory(directory)) {
      return "is gone: it was removed by pg_probackup delete or retention, or merged into another";
    }
    const now = parseBackupControl(hostFiles.read(path, KEY_VALUES_SIZE_MAX), {
      path,
      backupId: id,
    });
    if (now.status !== control.status) {
      return `has status ${now.status} now: pg_probackup merge, delete or retention is changing it`;
    }
    if (now.mergeTime !== control.mergeTime || now.mode !== control.mode) {
      return "was changed by pg_probackup merge";
    }
    if (now.contentCrc !== control.contentCrc) return "has got another file list";
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    // The process has no room for one more open file: that says nothing of the backup.
    if (error.code === "EMFILE" || error.code === "ENFILE") return undefined;
    return `cannot be read any more (${error.message}): pg_probackup delete, merge or retention?`;
  }
  return undefined;
}
