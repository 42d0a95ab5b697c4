/**
 * POSIX ACLs as archives have them in pax records, in words: `SCHILY.acl.access` and
 * `SCHILY.acl.default`.
 *
 *     user::rw-,user:lisa:r--:502,group::r--,group:777:--x,mask::r-x,other::---
 *
 * Entries are parted by commas or newlines. Behind the permissions may stand the number of the
 * account, which counts more than its name.
 *
 * @module
 */

import type { AclEntry } from "#src/bytes/acl.ts";
import { FormatError } from "#src/errors.ts";

/** Numbers of accounts by their names; undefined for one that is not there. */
export interface AccountNumbers {
  uid(name: string): number | undefined;
  gid(name: string): number | undefined;
}

/** Entries of one ACL. */
export interface AclText {
  readonly users: readonly AclEntry[];
  readonly groups: readonly AclEntry[];
  readonly userObject: bigint | undefined;
  readonly groupObject: bigint | undefined;
  readonly mask: bigint | undefined;
  readonly other: bigint | undefined;
}

const BITS: Readonly<Record<string, bigint>> = { r: 4n, w: 2n, x: 1n, "-": 0n };
const TAGS: Readonly<Record<string, "user" | "group" | "mask" | "other">> = {
  u: "user",
  user: "user",
  g: "group",
  group: "group",
  m: "mask",
  mask: "mask",
  o: "other",
  other: "other",
};

/**
 * Reads an ACL. Who has neither a number nor an account has no entry: nobody could be him.
 *
 * @throws {FormatError} `bad-acl`
 */
export function parseAclText(text: string, accounts: AccountNumbers): AclText {
  const users: AclEntry[] = [];
  const groups: AclEntry[] = [];
  const objects: Partial<Record<"user" | "group" | "mask" | "other", bigint>> = {};
  for (const line of text.split(/[,\n]/u)) {
    const entry = line.replace(/#.*$/u, "").replace(/^\s*default:/u, "").trim();
    if (entry === "") continue;
    const parts = entry.split(":");
    const tag = TAGS[parts[0]!];
    // `mask:rwx` and `other:rwx` are the short form of `mask::rwx`.
    const isShort = parts.length === 2 && (tag === "mask" || tag === "other");
    const [name, letters, number] = isShort ? ["", parts[1]] : parts.slice(1);
    const permissions = bitsOf(letters);
    if (tag === undefined || permissions === undefined || parts.length > 4) throw malformed(entry);
    if (name === "") {
      objects[tag] = permissions;
      continue;
    }
    if (tag === "mask" || tag === "other") throw malformed(entry);
    const id = idOf(number) ?? idOf(name) ??
      (tag === "user" ? accounts.uid(name!) : accounts.gid(name!));
    if (id !== undefined) {
      (tag === "user" ? users : groups).push({ id: BigInt(id), permissions });
    }
  }
  const { user: userObject, group: groupObject, mask, other } = objects;
  return { users, groups, userObject, groupObject, mask, other };
}

function bitsOf(letters: string | undefined): bigint | undefined {
  if (letters === undefined || !/^[-rwx]{0,3}$/u.test(letters)) return undefined;
  return [...letters].reduce((bits, letter) => bits | BITS[letter]!, 0n);
}

function idOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/u.test(text)) return undefined;
  const id = Number(text);
  return id < 0xffff_ffff ? id : undefined;
}

function malformed(entry: string): FormatError {
  return new FormatError(
    `Cannot read tar archive: "${entry.slice(0, 64)}" is not an entry of an ACL`,
    {
      code: "bad-acl",
    },
  );
}
