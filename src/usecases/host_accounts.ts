/**
 * Users and groups of this host, by name or number.
 *
 * @module
 */

import type { Owner } from "#src/tree/attribute_override_tree.ts";

const ID_MAX = 0xffff_fffe;

/**
 * User and own group of an account. A number without an account has the same number for a group.
 * Runs getent(1).
 */
export function findUser(name: string): Owner | undefined {
  // name:password:uid:gid:…
  const entry = lookUp("passwd", name);
  if (entry !== undefined) return { uid: Number(entry[2]), gid: Number(entry[3]) };
  const uid = parseId(name);
  return uid === undefined ? undefined : { uid, gid: uid };
}

/** Number of a group. Runs getent(1). */
export function findGroupId(name: string): number | undefined {
  const gid = parseId(name);
  if (gid !== undefined) return gid;
  const entry = lookUp("group", name);
  return entry === undefined ? undefined : Number(entry[2]);
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
