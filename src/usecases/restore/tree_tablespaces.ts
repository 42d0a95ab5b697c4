/**
 * Tablespaces of a data directory that is a tree like any other: what of them is in the source, and
 * where it goes.
 *
 * In `pg_tblspc` there is a link for each, to where the files lie on the server's machine; copies
 * made by following links, and tablespaces made in place, have a directory instead. Of a set of tar
 * archives, and of a diff directory over a backup, the files are in the source as well: links lead
 * to {@link EXTRAS_NAME} there. By `tablespace_map` a server that recovers a base backup makes the
 * links anew, so it must say the same.
 *
 * @module
 */

import { EXTRAS_NAME, TABLESPACE_LINKS_NAME, TABLESPACES_NAME } from "#src/pgprobackup/extras.ts";
import type { DirectoryNode, Node } from "#src/tree/node.ts";
import { findEntry } from "#src/tree/paths.ts";
import { fileIn, readText } from "../data_directory_files.ts";
import { requireKnownPlaces } from "../known_places.ts";
import type { RestoreRoot } from "./layout.ts";
import type { SettingsFile } from "./recovery.ts";

/** What becomes of tablespaces. */
export interface PlacedTablespaces {
  /** Those that go to directories of their own. */
  readonly roots: readonly RestoreRoot[];
  /** All directories of tablespaces that are in the source. */
  readonly directories: readonly DirectoryNode[];
  /** Paths of what goes elsewhere. */
  readonly moved: ReadonlySet<string>;
  /** Targets of links, by their paths, that are other ones than in the source. */
  readonly links: ReadonlyMap<string, string>;
  /** `tablespace_map`, where it is to say something else than in the source. */
  readonly map: SettingsFile | undefined;
}

/** A tablespace of a tree. */
interface Tablespace {
  readonly oid: string;
  /** Where it was; undefined where nothing says it. */
  readonly place: string | undefined;
  /** Its files, where the source has them, and their path. */
  readonly content: { readonly node: DirectoryNode; readonly path: string } | undefined;
}

const MAP_NAME = "tablespace_map";
const MAP_SIZE_MAX = 16 << 20;
const OID = /^[1-9]\d{0,9}$/u;

/**
 * Decides where tablespaces go: where the request says, else where they were, else they stay in the
 * data directory.
 *
 * @param mapping by where they were, or by OID
 * @throws {UsageError} for one that there is not
 */
export function placeTablespaces(
  root: DirectoryNode,
  mapping: ReadonlyMap<string, string>,
): PlacedTablespaces {
  const mapFile = fileIn(root, MAP_NAME);
  const mapText = mapFile === undefined ? "" : readText(mapFile, MAP_SIZE_MAX);
  const places = parseMap(mapText);
  const tablespaces = findTablespaces(root, places);
  const named = { owner: "the source", what: "tablespace", option: "tablespaceMapping" };
  requireKnownPlaces(mapping, tablespaces, named);
  const roots: RestoreRoot[] = [];
  const moved = new Set<string>();
  const links = new Map<string, string>();
  for (const { oid, place, content } of tablespaces) {
    const path = mapping.get(oid) ?? mapping.get(place ?? "") ?? place;
    if (path === undefined) continue;
    links.set(linkPath(oid), path);
    if (content === undefined) continue;
    roots.push({ node: content.node, path, kind: "tablespace" });
    moved.add(content.path);
  }
  addEmptied(root, moved);
  const text = formatMap([...places.keys()].map((oid) => [oid, links.get(linkPath(oid))!]));
  const map = text === mapText ? undefined : { name: MAP_NAME, text };
  const directories = tablespaces.flatMap(({ content }) => content?.node ?? []);
  return { roots, directories, moved, links, map };
}

function findTablespaces(
  root: DirectoryNode,
  places: ReadonlyMap<string, string>,
): Tablespace[] {
  const entries = [...directoryAt(root, TABLESPACE_LINKS_NAME)?.entries() ?? []];
  const found = entries.filter(({ name }) => OID.test(name))
    .map(({ name: oid, node }) => tablespaceOf(root, oid, node, places.get(oid)));
  const oids = new Set(found.map(({ oid }) => oid));
  // A server makes these links by the map.
  const unlinked = [...places].filter(([oid]) => !oids.has(oid));
  return [...found, ...unlinked.map(([oid, place]) => ({ oid, place, content: undefined }))];
}

function tablespaceOf(
  root: DirectoryNode,
  oid: string,
  node: Node,
  place: string | undefined,
): Tablespace {
  if (node.kind === "directory") {
    return { oid, place, content: { node, path: linkPath(oid) } };
  }
  if (node.kind !== "symlink") return { oid, place, content: undefined };
  if (node.target.startsWith("/")) return { oid, place: node.target, content: undefined };
  const path = `${EXTRAS_NAME}/${TABLESPACES_NAME}/${oid}`;
  const inner = node.target === `../${path}` ? directoryAt(root, path) : undefined;
  return { oid, place, content: inner && { node: inner, path } };
}

function linkPath(oid: string): string {
  return `${TABLESPACE_LINKS_NAME}/${oid}`;
}

function directoryAt(root: DirectoryNode, path: string): DirectoryNode | undefined {
  const node = findEntry({ root }, path);
  return node?.kind === "directory" ? node : undefined;
}

/** Directories that only lead to what goes elsewhere go with it. */
function addEmptied(root: DirectoryNode, moved: Set<string>): void {
  for (const path of [`${EXTRAS_NAME}/${TABLESPACES_NAME}`, EXTRAS_NAME]) {
    const names = [...directoryAt(root, path)?.entries() ?? []].map(({ name }) => name);
    if (names.length > 0 && names.every((name) => moved.has(`${path}/${name}`))) moved.add(path);
  }
}

/** Paths by OIDs. A backslash escapes itself and the ends of lines. */
function parseMap(text: string): Map<string, string> {
  const lines = text.matchAll(/^([1-9]\d{0,9}) (\/(?:[^\\\n]|\\[^])*)$/gmu);
  return new Map([...lines].map(([, oid, path]) => [oid!, path!.replace(/\\([^])/gu, "$1")]));
}

function formatMap(entries: readonly (readonly [oid: string, path: string])[]): string {
  return entries.map(([oid, path]) => `${oid} ${path.replace(/[\\\n\r]/gu, "\\$&")}\n`).join("");
}
