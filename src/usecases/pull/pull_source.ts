/**
 * What a pull backs up, by names: `[NAME.pxar:]ssh://[user@]host[:port]/directory` and
 * `[NAME.pxar:]agent://host[:port]/directory`.
 *
 * @module
 */

import { type ClientPlace, isSameClient, parseClientPlace } from "#src/agent/client_place.ts";
import type { BackupSpec } from "#src/backup/backup_spec.ts";
import { UsageError } from "#src/errors.ts";
import { isBackupId } from "#src/pbs/format/snapshot_path.ts";

/** Directories of one client as archives. */
export interface PullSources {
  /** At least one. */
  readonly places: readonly ClientPlace[];
  /** One for each of them. */
  readonly specs: readonly BackupSpec[];
  /** Name of the client that a backup may go by; undefined where it cannot. */
  readonly backupId: string | undefined;
}

const NAMED = /^([A-Za-z0-9_-]+\.pxar):(.*)$/su;
/** Of an archive without a name of its own. */
const ROOT_NAME = "root";

/** Reads the names. @throws {UsageError} when one is none, or they are of several clients */
export function parsePullSources(texts: readonly string[]): PullSources {
  const parsed = texts.map(parsePullSource);
  const places = parsed.map(({ place }) => place);
  const [first] = places;
  if (first === undefined) throw new UsageError("Cannot back up: no directory is named");
  const other = places.findIndex((place) => !isSameClient(first, place));
  if (other > 0) {
    throw new UsageError(`Cannot back up "${texts[other]}": it is of another client`, {
      hint: "One backup is of one client",
    });
  }
  return {
    places,
    specs: parsed.map(({ name, place }) => ({ kind: "pxar", name, path: place.path })),
    backupId: isBackupId(first.host) ? first.host : undefined,
  };
}

function parsePullSource(text: string): { readonly name: string; readonly place: ClientPlace } {
  const [, name, address = text] = NAMED.exec(text) ?? [];
  const place = parseClientPlace(address);
  if (place === undefined) {
    throw new UsageError(`Cannot back up "${text}": it is not a directory of a client`, {
      hint:
        "Expected [NAME.pxar:]ssh://[user@]host[:port]/directory, or agent://host:port/directory",
    });
  }
  const last = place.path.split("/").filter((part) => part !== "").at(-1) ?? ROOT_NAME;
  const stem = /^[A-Za-z0-9_-]+$/u.test(last) ? last : ROOT_NAME;
  return { name: name ?? `${stem}.pxar`, place };
}
