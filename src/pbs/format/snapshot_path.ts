/**
 * Names of namespaces, groups and snapshots.
 *
 * A namespace is `a/b`, in the directory `ns/a/ns/b`; the root namespace is the empty text. A group
 * is `host/elsa`, a snapshot `host/elsa/2024-01-10T10:00:00Z`.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";

/** A valid namespace. */
export type Namespace = string & { readonly brand: "Namespace" };

/** What is backed up: a machine's files, a virtual machine, a container. */
export type BackupType = "host" | "vm" | "ct";

/** Snapshots of one thing. */
export interface GroupId {
  /** Empty for the root namespace. */
  readonly ns: Namespace;
  /** Part of the group's path. */
  readonly type: BackupType;
  /** Such as the name of a machine or the number of a guest. */
  readonly id: string;
}

/** One backup. */
export interface SnapshotId {
  /** What it is a backup of. */
  readonly group: GroupId;
  /** Unix seconds. */
  readonly time: number;
}

/** All types, sorted as they are listed. */
export const BACKUP_TYPES: readonly BackupType[] = ["ct", "host", "vm"];
/** The namespace that all others are in. */
export const ROOT_NAMESPACE = "" as Namespace;
/** Most components of a namespace. */
export const NAMESPACE_DEPTH_MAX = 7;

const NAMESPACE_SIZE_MAX = 256;
const NAMESPACE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,31}$/;
const BACKUP_ID = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const BACKUP_ID_SIZE_MAX = 255;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
/** 9999-12-31T23:59:59Z. */
const TIME_MAX = 253_402_300_799;

/** Whether a text is one component of a namespace. */
export function isNamespaceName(text: string): boolean {
  return NAMESPACE_NAME.test(text);
}

/** Whether a text can be the id of a group. */
export function isBackupId(text: string): boolean {
  return text.length <= BACKUP_ID_SIZE_MAX && BACKUP_ID.test(text);
}

/** Whether a text is a type of backup. */
export function isBackupType(text: string): text is BackupType {
  return (BACKUP_TYPES as readonly string[]).includes(text);
}

/** Whether a number can be the time of a snapshot. */
export function isBackupTime(time: unknown): time is number {
  return typeof time === "number" && Number.isInteger(time) && time >= 1 && time <= TIME_MAX;
}

/**
 * Reads a namespace; the empty text is the root.
 *
 * @throws {UsageError} when it is none
 */
export function parseNamespace(text: string): Namespace {
  const names = text === "" ? [] : text.split("/");
  if (
    text.length > NAMESPACE_SIZE_MAX || names.length > NAMESPACE_DEPTH_MAX ||
    !names.every(isNamespaceName)
  ) {
    throw new UsageError(`Cannot use "${text}" as a namespace`, {
      hint: "A namespace is up to 7 names of letters, digits, `_`, `.` and `-`, separated by `/`",
    });
  }
  return text as Namespace;
}

/** Components of a namespace; none for the root. */
export function namespaceNames(ns: Namespace): string[] {
  return ns === ROOT_NAMESPACE ? [] : ns.split("/");
}

/** A namespace and those that it is in, outermost first; none of the root. */
export function namespaceAndParents(ns: Namespace): Namespace[] {
  const names = namespaceNames(ns);
  return names.map((_, index) => names.slice(0, index + 1).join("/") as Namespace);
}

/** Directory of a namespace inside of a datastore: `ns/a/ns/b`, empty for the root. */
export function namespaceDirectory(ns: Namespace): string {
  return namespaceNames(ns).map((name) => `ns/${name}`).join("/");
}

/** A group as people write it: `host/elsa`. */
export function formatGroup({ type, id }: Pick<GroupId, "type" | "id">): string {
  return `${type}/${id}`;
}

/** A snapshot as people write it: `host/elsa/2024-01-10T10:00:00Z`. */
export function formatSnapshot({ group, time }: SnapshotId): string {
  return `${formatGroup(group)}/${formatBackupTime(time)}`;
}

/**
 * Directory of a group inside of a datastore.
 *
 * @throws {UsageError} when type or id cannot be those of a group, so that no path leads elsewhere
 */
export function groupDirectory(group: GroupId): string {
  if (!isBackupType(group.type) || !isBackupId(group.id)) {
    throw new UsageError(`Cannot use "${formatGroup(group)}" as a backup group`);
  }
  const parent = namespaceDirectory(group.ns);
  return parent === "" ? formatGroup(group) : `${parent}/${formatGroup(group)}`;
}

/**
 * Directory of a snapshot inside of a datastore. @throws {UsageError} when there can be no such
 * snapshot
 */
export function snapshotDirectory({ group, time }: SnapshotId): string {
  return `${groupDirectory(group)}/${formatBackupTime(time)}`;
}

/**
 * Reads `TYPE/ID`.
 *
 * @throws {UsageError} when it is no group
 */
export function parseGroup(text: string, ns: Namespace): GroupId {
  const [type, id, ...more] = text.split("/");
  if (id === undefined || more.length > 0 || !isBackupType(type!) || !isBackupId(id)) {
    throw new UsageError(`Cannot parse backup group "${text}"`, {
      hint: "A group is `host/ID`, `vm/ID` or `ct/ID`",
    });
  }
  return { ns, type, id };
}

/**
 * Reads `TYPE/ID/TIME`.
 *
 * @throws {UsageError} when it is no snapshot
 */
export function parseSnapshot(text: string, ns: Namespace): SnapshotId {
  const end = text.lastIndexOf("/");
  const time = parseBackupTime(text.slice(end + 1));
  if (end < 0 || time === undefined) {
    throw new UsageError(`Cannot parse backup snapshot path "${text}"`, {
      hint: "A snapshot is `TYPE/ID/TIME`, such as `host/elsa/2024-01-10T10:00:00Z`",
    });
  }
  return { group: parseGroup(text.slice(0, end), ns), time };
}

/** `YYYY-MM-DDTHH:MM:SSZ`. @throws {UsageError} when it cannot be the time of a snapshot */
export function formatBackupTime(time: number): string {
  if (!isBackupTime(time)) throw new UsageError(`Cannot use ${time} as the time of a backup`);
  return new Date(time * 1000).toISOString().replace(".000Z", "Z");
}

/** Reads what {@link formatBackupTime} writes; undefined for anything else. */
export function parseBackupTime(text: string): number | undefined {
  if (!TIME.test(text)) return undefined;
  const time = Date.parse(text) / 1000;
  return isBackupTime(time) && formatBackupTime(time) === text ? time : undefined;
}

/**
 * `host/elsa` or `host/elsa/2024-01-10T10:00:00Z`, with the namespace in front where there is one.
 */
export function qualifiedName(id: GroupId | SnapshotId): string {
  const group = "group" in id ? id.group : id;
  const name = "group" in id ? formatSnapshot(id) : formatGroup(id);
  return group.ns === "" ? name : `[${group.ns}]:${name}`;
}
