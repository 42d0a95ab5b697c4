/**
 * `--owner`: users and groups by name or number.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { getEffectiveUid } from "#ffi/libc/calls.ts";
import type { Owner } from "#src/usecases/mounting/mount_request.ts";

const ID_MAX = 0xffff_fffe;

/**
 * Parses `USER[:GROUP]` or `UID[:GID]`. Without a group it is the user's own, and for a bare number
 * without an account the same number.
 *
 * @throws {UsageError} when there is no such user or group
 */
export function parseOwner(text: string): Owner {
  const [user, group, ...rest] = text.split(":");
  if (user === undefined || user === "" || group === "" || rest.length > 0) {
    throw new UsageError(`Cannot use "${text}" for --owner: expected USER[:GROUP] or UID[:GID]`, {
      option: "--owner",
    });
  }
  const account = findUser(user);
  const gid = group === undefined ? account.gid : findGroup(group);
  return { uid: account.uid, gid };
}

/**
 * As {@link parseOwner}, of a mount: the files of an ordinary user's diff directory are his,
 * whatever the mount would say.
 *
 * @throws {UsageError} when this user cannot mount for that one
 */
export function ownerOfMount(text: string): Owner {
  const owner = parseOwner(text);
  const userId = getEffectiveUid();
  if (userId === 0 || owner.uid === userId) return owner;
  throw new UsageError("Cannot use --owner: only root can mount for another user", {
    option: "--owner",
  });
}

function findUser(name: string): Owner {
  // name:password:uid:gid:…
  const entry = lookUp("passwd", name);
  if (entry !== undefined) return { uid: Number(entry[2]), gid: Number(entry[3]) };
  const uid = parseId(name);
  if (uid !== undefined) return { uid, gid: uid };
  throw new UsageError(`Cannot use "${name}" for --owner: there is no such user`, {
    option: "--owner",
  });
}

function findGroup(name: string): number {
  const gid = parseId(name);
  if (gid !== undefined) return gid;
  const entry = lookUp("group", name);
  if (entry !== undefined) return Number(entry[2]);
  throw new UsageError(`Cannot use "${name}" for --owner: there is no such group`, {
    option: "--owner",
  });
}

function parseId(text: string): number | undefined {
  if (!/^\d{1,10}$/u.test(text)) return undefined;
  const id = Number(text);
  return id <= ID_MAX ? id : undefined;
}

/** Fields of an account, from wherever the host keeps its accounts. */
function lookUp(database: "passwd" | "group", name: string): string[] | undefined {
  const { success, stdout } = new Deno.Command("getent", {
    args: ["--", database, name],
    stdin: "null",
    stderr: "null",
  }).outputSync();
  if (!success) return undefined;
  return new TextDecoder().decode(stdout).split("\n")[0]!.split(":");
}
