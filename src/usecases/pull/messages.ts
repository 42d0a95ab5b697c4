/**
 * What the thread that backs up a client and the thread with the client say to each other, besides
 * what goes through the mailbox.
 *
 * @module
 */

import type { PlannedArchive } from "#src/backup/backup_options.ts";
import type { ClientWalk } from "#src/backup/client/client_source.ts";
import type { CryptMode } from "#src/pbs/format/crypt.ts";
import type { StoreAddress } from "#src/pbs/store_address.ts";
import type { BorrowMessage } from "#src/threads/lent_thread.ts";
import type {
  BackupProblem,
  BackupProgress,
  BackupWarning,
  FinishedBackup,
  NewBackup,
} from "../datastore/backup.ts";

/** Role of a thread that backs up a client. */
export const PULL_ROLE = "pull";

/** What the thread is given. */
export interface PullThreadStart {
  readonly store: StoreAddress;
  /** Specifications without a source. */
  readonly request: NewBackup;
  readonly walk: ClientWalk;
  readonly keys: PullKeys;
  readonly isDryRun: boolean;
  /** Memory of the mailbox with the client behind it. */
  readonly mailbox: SharedArrayBuffer;
  readonly timeoutMs: number;
  /** One cell, which is not 0 when the run is to end. */
  readonly stop: Int32Array<SharedArrayBuffer>;
  /** Whether each path is told. */
  readonly tellsPaths: boolean;
  /** For the messages below. */
  readonly port: MessagePort;
}

/** Keys as plain values. */
export interface PullKeys {
  readonly mode: CryptMode;
  readonly key: Uint8Array<ArrayBuffer> | undefined;
  readonly encryptedKey: Uint8Array<ArrayBuffer> | undefined;
}

/** Sent by the thread. */
export type FromPullThread =
  | BorrowMessage
  | { readonly type: "archive"; readonly archive: PlannedArchive }
  | { readonly type: "entry"; readonly path: string }
  | { readonly type: "progress"; readonly progress: BackupProgress }
  | { readonly type: "problem"; readonly problem: BackupProblem }
  | { readonly type: "warning"; readonly kind: BackupWarning; readonly message: string }
  /** Nothing follows. */
  | { readonly type: "finished"; readonly finished: FinishedBackup }
  /** The text of `formatFailure()`. Nothing follows. */
  | { readonly type: "failed"; readonly error: string };
