/**
 * What of a promoted diff goes where: the directory itself, and tablespaces, which lie in the diff
 * under a name of this program's own and get a directory each.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import { Failure, UsageError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { hostFiles } from "#src/io/files/files.ts";
import type { Binding } from "#src/overlay/binding.ts";
import { BINDING_FILE_NAME } from "#src/overlay/binding_name.ts";
import { parseLinkReference } from "#src/overlay/link_reference.ts";
import type { PromotedPlace } from "#src/overlay/promotion/promotion_record.ts";
import {
  EXTERNAL_NAME,
  EXTRAS_NAME,
  TABLESPACE_LINKS_NAME,
  TABLESPACES_NAME,
} from "#src/pgprobackup/extras.ts";
import { readTablespaceMap } from "#src/pgprobackup/restore_maps.ts";
import { parseOutsideTarget } from "#src/sources/inner_links.ts";
import { readBackupKeys } from "#src/sources/pgpro/record_keys.ts";
import { requireKnownPlaces } from "../known_places.ts";

/** Where everything goes. */
export interface PromotedLayout {
  /** The directory itself first. */
  readonly places: readonly PromotedPlace[];
  /** Targets of links that are other ones than in the diff, by the links' paths. */
  readonly links: ReadonlyMap<string, string>;
  /** Paths of what is in the diff and goes nowhere. */
  readonly leftOut: readonly string[];
}

/** A tablespace of a diff. */
interface Tablespace {
  readonly oid: string;
  /** Where it was on its own machine; undefined where the diff does not say. */
  readonly place: string | undefined;
  /** Path of its files in the diff; undefined where they are not in it. */
  readonly content: string | undefined;
}

/**
 * Decides where everything goes.
 *
 * @param binding the diff's
 * @param targetPath absolute
 * @param mapping where tablespaces go, by OID or by where they were
 * @throws {UsageError} for a tablespace that is not mapped, or that there is not
 * @throws {OsError}
 */
export function layOut(
  diffPath: string,
  binding: Binding,
  targetPath: string,
  mapping: ReadonlyMap<string, string>,
): PromotedLayout {
  const former = placesInBackup(binding);
  const nonce = Uint8Array.fromHex(binding.nonce);
  const tablespaces = findTablespaces(diffPath, nonce)
    .map((each) => ({ ...each, place: each.place ?? former.get(each.oid) }));
  const known = tablespaces.filter(({ place, content }) => (place ?? content) !== undefined);
  const named = { owner: "the diff directory", what: "tablespace", option: "tablespaceMapping" };
  requireKnownPlaces(mapping, known, named);
  const links = new Map<string, string>();
  const places: PromotedPlace[] = [{ from: "", to: targetPath }];
  const unmapped: Tablespace[] = [];
  for (const tablespace of tablespaces) {
    const { oid, place, content } = tablespace;
    const to = mapping.get(oid) ?? mapping.get(place ?? "");
    if (to !== undefined) {
      links.set(`${TABLESPACE_LINKS_NAME}/${oid}`, to);
      if (content !== undefined) places.push({ from: content, to });
    } else if (content !== undefined) unmapped.push(tablespace);
  }
  if (unmapped.length > 0) throw unmappedError(unmapped);
  const external = entriesOf(`${diffPath}/data/${EXTRAS_NAME}/${EXTERNAL_NAME}`);
  return {
    places,
    links,
    leftOut: external.map((name) => `${EXTRAS_NAME}/${EXTERNAL_NAME}/${name}`),
  };
}

function findTablespaces(diffPath: string, nonce: Uint8Array): Tablespace[] {
  const directory = `${diffPath}/data/${TABLESPACE_LINKS_NAME}`;
  return entriesOf(directory).flatMap((oid) => {
    const target = host.readlink(`${directory}/${oid}`);
    // A directory is a tablespace that was made in place, and stays there.
    if (typeof target === "number") return [];
    return [tablespaceOf(diffPath, oid, decodeFileName(target), nonce)];
  });
}

function tablespaceOf(
  diffPath: string,
  oid: string,
  target: string,
  nonce: Uint8Array,
): Tablespace {
  const home = `${EXTRAS_NAME}/${TABLESPACES_NAME}`;
  const linked = parseLinkReference(nonce, target)?.split("/").at(-1);
  const own = linked ?? (target.startsWith(`../${home}/`) ? target.split("/").at(-1) : undefined);
  const content = own === undefined ? undefined : `${home}/${own}`;
  const isThere = content !== undefined &&
    hostFiles.status(`${diffPath}/data/${content}`)?.kind === "directory";
  return { oid, place: parseOutsideTarget(target), content: isThere ? content : undefined };
}

function entriesOf(path: string): string[] {
  if (hostFiles.status(path)?.kind !== "directory") return [];
  return hostFiles.entries(path).map(({ name }) => name).filter((name) => /^\d+$/u.test(name));
}

function unmappedError(tablespaces: readonly Tablespace[]): UsageError {
  const names = tablespaces.map(({ oid, place }) =>
    place === undefined ? oid : `${oid} (${place})`
  );
  const which = `${names.length === 1 ? "tablespace" : "tablespaces"} ${names.join(", ")}`;
  return new UsageError(`Cannot promote: nothing says where ${which} goes`, {
    option: "tablespaceMapping",
    hint: "Give a directory on the same file system for each",
  });
}

/** Where tablespaces were, by OID, as far as the backup is still where it was. */
function placesInBackup(binding: Binding): ReadonlyMap<string, string> {
  try {
    const keys = readBackupKeys(binding, BINDING_FILE_NAME);
    const { pbk_store_path: store, instance_name: instance, backup_id: id } = keys;
    return readTablespaceMap({ directory: `${store}/backups/${instance}/${id}`, id });
  } catch (error) {
    // It is over something else, or the backup is gone: they are known by their OIDs.
    if (error instanceof Failure) return new Map();
    throw error;
  }
}
