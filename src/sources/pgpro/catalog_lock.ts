/**
 * The read lock that a mount holds on its chain, in the catalog itself.
 *
 * @module
 */

import { ownerOf } from "#src/io/files/files.ts";
import { OsError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import type { BackupPlace } from "./bound_backup.ts";
import type { Chain } from "#src/pgprobackup/chain.ts";
import { lockChain, type LockReader } from "#src/pgprobackup/chain_lock.ts";

/** A lock, or the reason why there is none. */
export interface CatalogLock {
  readonly refusal?: string;
  release(): void;
}

/**
 * A chain may be changed that often between being read and being locked; more is no coincidence.
 */
const ATTEMPTS_MAX = 5;

/**
 * Holds pg_probackup's read lock on a chain as long as this process lives or until it is released.
 * Where it cannot be had the mount goes on without.
 *
 * @param find finds the backup as it is now
 * @returns the lock, and the backup as it is since it is locked
 * @throws {StateError} `locked` when a backup is being changed
 */
export function lockCatalog(find: () => BackupPlace): { lock: CatalogLock; place: BackupPlace } {
  let place = find();
  for (let attempt = 1;; attempt++) {
    const lock = lockAsOwner(place.chain);
    try {
      const before = place;
      place = find();
      if (attempt >= ATTEMPTS_MAX || isSameChain(before.chain, place.chain)) return { lock, place };
    } catch (error) {
      lock.release();
      throw error;
    }
    lock.release();
  }
}

function isSameChain(one: Chain, other: Chain): boolean {
  const paths = (chain: Chain) => chain.map((member) => member.directory).join("\0");
  return paths(one) === paths(other);
}

function lockAsOwner(chain: Chain): CatalogLock {
  const owner = ownerOf(chain[0]!.directory);
  const user = host.getEffectiveUid();
  if (user !== 0 && user !== owner.uid) {
    return withoutLock("the catalog is another user's");
  }
  try {
    // pg_probackup asks with signal 0 whether a reader lives, and gives up, restores too, when it
    // may not ask.
    using stack = new DisposableStack();
    const keeper = user === owner.uid ? undefined : stack.use(startKeeper(owner));
    const pid = keeper?.pid ?? host.getPid();
    const lock = lockChain(chain, { ...owner, pid });
    const kept = stack.move();
    return {
      release() {
        lock.release();
        kept.dispose();
      },
    };
  } catch (error) {
    if (error instanceof OsError) return withoutLock(error.message);
    throw error;
  }
}

function withoutLock(refusal: string): CatalogLock {
  return { refusal, release() {} };
}

/** A process of another user that ends with this one: it waits at a pipe that nobody writes to. */
interface Keeper extends Disposable {
  readonly pid: number;
}

function startKeeper({ uid, gid }: Omit<LockReader, "pid">): Keeper {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("/bin/sh", {
      args: ["-c", "read -r end"],
      cwd: "/",
      // The other user can read the environment of his processes.
      clearEnv: true,
      detached: true,
      uid,
      gid,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
  } catch (cause) {
    const isRefused = cause instanceof Deno.errors.PermissionDenied;
    const errno = isRefused ? host.Errno.EPERM : host.Errno.EAGAIN;
    throw new OsError(errno, "start a process of the catalog's owner", "/bin/sh", { cause });
  }
  child.unref();
  return { pid: child.pid, [Symbol.dispose]: () => void child.stdin.close().catch(() => {}) };
}
