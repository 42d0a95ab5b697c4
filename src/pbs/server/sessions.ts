/**
 * What a connection is for that was upgraded to one of the two protocols of backups.
 *
 * Whoever has the connection has checked who asks and what he may; everything else is checked here.
 * What is thrown before a session is there becomes the answer to the upgrade (`answerFailure`).
 *
 * @module
 */

import { ServedBackup } from "./served_backup.ts";
import { ServedReader } from "./served_reader.ts";
import type { HttpSession, SessionContext } from "./session.ts";
import { TransferMemory } from "./transfer_memory.ts";

export type { HttpSession, SessionContext } from "./session.ts";

/** Memory for what all sessions of this process send and receive. */
const memory = new TransferMemory();

/**
 * Starts a backup.
 *
 * @param signal aborted when nobody waits for it any more
 * @throws {Refusal} with the reference's status and text
 * @throws {OsError | StateError | UsageError}
 */
export function startBackupSession(
  context: SessionContext,
  signal: AbortSignal,
): Promise<HttpSession> {
  return ServedBackup.start(context, memory, signal);
}

/** Opens a snapshot for reading. @throws as {@link startBackupSession} */
export function startReaderSession(
  context: SessionContext,
  signal: AbortSignal,
): Promise<HttpSession> {
  return ServedReader.start(context, memory, signal);
}
