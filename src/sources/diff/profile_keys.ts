/**
 * What the record of a diff directory keeps of how it was mounted, whatever it is over: by whom its
 * files are shown to be owned, and whether it is still whole.
 *
 * @module
 */

import * as v from "valibot";
import { StateError } from "#src/errors.ts";
import { type Binding, damagedBinding } from "#src/overlay/binding.ts";

const id = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_fffe));

const ProfileKeysSchema = v.object({
  no_wal_used: v.optional(v.boolean(), false),
  shown_owner: v.optional(v.object({ uid: id, gid: id })),
});

/** What a record keeps. */
export type ProfileKeys = Readonly<v.InferOutput<typeof ProfileKeysSchema>>;

/** What a record says. @param path of the record @throws {FormatError} */
export function readProfileKeys(binding: Binding, path: string): ProfileKeys {
  const result = v.safeParse(ProfileKeysSchema, binding);
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw damagedBinding(path, `key "${v.getDotPath(issue) ?? ""}" ${issue.message}`);
}

/** Refuses a diff whose WAL was forgotten. @throws {StateError} `no-wal-used` */
export function requireOwnWal({ no_wal_used: isForgotten }: ProfileKeys): void {
  if (!isForgotten) return;
  throw new StateError(
    "no-wal-used",
    "Cannot mount: the diff directory was previously mounted with --no-wal and cannot be reused",
    { hint: "Give a fresh diff directory, or empty this one", option: "diffPath" },
  );
}
