/**
 * What only PostgreSQL needs of a mount, on top of a diff directory over any source.
 *
 * @module
 */

import * as v from "valibot";
import { StateError, UsageError } from "#src/errors.ts";
import { logger } from "#src/log/logger.ts";
import { type Binding, damagedBinding } from "#src/overlay/binding.ts";
import { openOverlay, type OverlayParts } from "#src/overlay/overlay.ts";
import type { Tree } from "#src/tree/node.ts";
import { applySettings, type Setting } from "./server_settings.ts";

/** Directory of a data directory whose changes `noWal` forgets. */
const WAL_DIRECTORY = "pg_wal";

const log = logger("mount");

const id = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_fffe));

const ProfileKeysSchema = v.object({
  no_wal_used: v.optional(v.boolean(), false),
  shown_owner: v.optional(v.object({ uid: id, gid: id })),
});

/** What the record of a diff directory keeps of a profile. */
export type ProfileKeys = Readonly<v.InferOutput<typeof ProfileKeysSchema>>;

/** Numeric owner of files. */
export interface Owner {
  /** Of the user. */
  readonly uid: number;
  /** Of the group. */
  readonly gid: number;
}

/** What is asked for a server. */
export interface PostgresProfile {
  /** What is written to the WAL is forgotten. */
  readonly noWal: boolean;
  readonly settings: readonly Setting[];
  /**
   * Who is to own the files; undefined: who owned them before. Only root can give files to others.
   */
  readonly owner: Owner | undefined;
}

/** What a record says of a profile. @param path of the record @throws {FormatError} */
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

/** Directories whose changes are kept only while mounted. @throws {UsageError} without such */
export function volatileDirectories({ noWal }: PostgresProfile, lower: Tree): string[] {
  if (!noWal) return [];
  if (lower.root.lookup(WAL_DIRECTORY)?.kind === "directory") return [WAL_DIRECTORY];
  throw new UsageError(
    `Cannot use \`noWal\`: there is no directory ${WAL_DIRECTORY}, so it is not a data directory`,
    { option: "noWal" },
  );
}

/** Writes the settings of the server into the diff. @throws {OsError} */
export function writeSettings(
  { settings }: PostgresProfile,
  overlay: Omit<OverlayParts, "worker">,
): void {
  if (settings.length === 0) return;
  const fileSystem = openOverlay({ ...overlay, worker: 0 });
  try {
    const added = applySettings(fileSystem, settings);
    log.info("server settings written", { added });
  } finally {
    fileSystem.close();
  }
}
