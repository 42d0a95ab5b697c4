/**
 * What a program that mounts by the library and the thread of the mount say to each other.
 *
 * @module
 */

import type { EndOptions } from "#src/mount/mount.ts";
import type { RecognisedName } from "#src/sources/recognise.ts";
import type { ServerLogin } from "#src/pbs/client/server_login.ts";
import type { NamedServer } from "#src/sources/source.ts";
import type { MountRequest } from "../mount_request.ts";

/** Role of a thread in which a mount lives. */
export const MOUNT_ROLE = "mount";

/** What the thread is given. */
export interface MountThreadStart {
  readonly source: RecognisedName;
  readonly request: MountRequest;
  /** Hold pg_probackup's read lock on the chain, where there is one. */
  readonly lockCatalog: boolean;
  /** For the messages below. */
  readonly port: MessagePort;
}

/** Sent by the thread. Errors are texts of `formatFailure()`. */
export type FromMountThread =
  | { readonly type: "mounted"; readonly mountPath: string }
  /** It did not do what was asked for; the mount goes on. */
  | { readonly type: "refused"; readonly error: string }
  | { readonly type: "key-wanted"; readonly fingerprint: string }
  | { readonly type: "login-wanted"; readonly server: NamedServer }
  /** A thread that serves, which is then spoken to by the port. */
  | { readonly type: "worker-wanted"; readonly name: string; readonly port: MessagePort }
  | { readonly type: "worker-terminated"; readonly name: string }
  /** The mount has ended, with an error or all that was written durable. Nothing follows. */
  | { readonly type: "ended"; readonly error: string | undefined };

/** Sent to the thread. */
export type ToMountThread =
  | ({ readonly type: "unmount" } & EndOptions)
  /** A thread that serves has failed with an error that it did not catch. */
  | { readonly type: "worker-failed"; readonly name: string; readonly message: string }
  | { readonly type: "key"; readonly key: Uint8Array | undefined }
  | { readonly type: "no-key"; readonly error: string }
  | { readonly type: "login"; readonly login: ServerLogin | undefined }
  | { readonly type: "no-login"; readonly error: string };
