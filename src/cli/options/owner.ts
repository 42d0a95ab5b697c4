/**
 * `--owner`: users and groups by name or number.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { getEffectiveUid } from "#ffi/libc/calls.ts";
import { findGroupId, findUser } from "#src/usecases/host_accounts.ts";
import type { MountRequest } from "#src/usecases/mounting/mount_request.ts";
import type { Owner } from "#src/tree/attribute_override_tree.ts";

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
  if (account === undefined) throw unknown("user", user);
  const gid = group === undefined ? account.gid : findGroupId(group);
  if (gid === undefined) throw unknown("group", group!);
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

/**
 * A mount for the owner that `--owner` names. Only the serving process looks him up, and reports
 * what is wrong.
 *
 * @throws {UsageError} when there is no such user, or this user cannot mount for that one
 */
export function withOwner<Request extends MountRequest>(
  request: Request,
  text: string | undefined,
): Request {
  const { writable } = request;
  if (text === undefined || writable === undefined) return request;
  const postgres = { ...writable.postgres, owner: ownerOfMount(text) };
  return { ...request, writable: { ...writable, postgres } };
}

function unknown(kind: "user" | "group", name: string): UsageError {
  return new UsageError(`Cannot use "${name}" for --owner: there is no such ${kind}`, {
    option: "--owner",
  });
}
