/**
 * Entries that were decoded not long ago.
 *
 * @module
 */

import type { PxarChild } from "../archive_node.ts";

/** Weight of one generation; an entry weighs one and more with its attributes. */
const GENERATION_WEIGHT_MAX = 8192;

const BYTES_PER_WEIGHT = 512;

/** What an object with two big integers takes. */
const ACL_ENTRY_SIZE = 64;

/**
 * A cache in two generations: when the younger one is full, the older one is forgotten. Unlike a
 * list by last use, it costs nothing to find what is there.
 */
export class RecentEntries {
  #young = new Map<number, PxarChild>();
  #old = new Map<number, PxarChild>();
  #weight = 0;

  /** The entry stored under `key`. */
  get(key: number): PxarChild | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  /** Stores an entry, in place of another one of that key. */
  set(key: number, entry: PxarChild): void {
    this.#young.set(key, entry);
    this.#weight += weightOf(entry);
    if (this.#weight <= GENERATION_WEIGHT_MAX) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#weight = 0;
  }
}

function weightOf({ name, entry }: PxarChild): number {
  let size = name.length;
  if (entry.kind === "hardlink") {
    size += entry.targetPath.length;
  } else {
    if (entry.kind === "symlink") size += entry.target.length;
    const { xattrs, acl, fcaps } = entry.metadata;
    size += fcaps?.length ?? 0;
    for (const { name, value } of xattrs) size += name.length + value.length;
    size += ACL_ENTRY_SIZE *
      (acl.users.length + acl.groups.length + acl.defaultUsers.length + acl.defaultGroups.length);
  }
  return 1 + Math.floor(size / BYTES_PER_WEIGHT);
}
