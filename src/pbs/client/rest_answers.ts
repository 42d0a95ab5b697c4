/**
 * Answers of a server's REST interface, checked: what they say comes from outside.
 *
 * @module
 */

import * as v from "valibot";
import { ProtocolError } from "#src/errors.ts";
import { CRYPT_MODES } from "../format/crypt.ts";
import { CLIENT_LOG_NAME, MANIFEST_NAME } from "../format/manifest.ts";
import {
  type GroupId,
  isBackupId,
  isBackupTime,
  isBackupType,
  type Namespace,
  parseNamespace,
} from "../format/snapshot_path.ts";
import type { SnapshotFile, SnapshotInfo } from "../snapshot_types.ts";
import type { StorageSpace } from "../storage/storage.ts";

const TYPE = v.pipe(v.string(), v.check(isBackupType));
const ID = v.pipe(v.string(), v.check(isBackupId));
const TIME = v.pipe(v.number(), v.check((time: number) => isBackupTime(time)));
const COUNT = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const GROUPS = v.array(v.object({
  "backup-type": TYPE,
  "backup-id": ID,
  "backup-count": COUNT,
  owner: v.nullish(v.string()),
  comment: v.nullish(v.string()),
}));

const FILES = v.array(v.object({
  filename: v.string(),
  size: v.nullish(COUNT),
  "crypt-mode": v.nullish(v.string()),
}));

const SNAPSHOTS = v.array(v.object({
  "backup-type": TYPE,
  "backup-id": ID,
  "backup-time": TIME,
  files: FILES,
  owner: v.nullish(v.string()),
  protected: v.nullish(v.boolean()),
  comment: v.nullish(v.string()),
  fingerprint: v.nullish(v.string()),
  verification: v.nullish(v.object({ state: v.string(), upid: v.string() })),
}));

const NAMESPACES = v.array(v.object({ ns: v.string() }));
const SPACE = v.object({ total: COUNT, used: COUNT, avail: COUNT });

/** A group as it is listed. */
export interface ListedGroup {
  readonly id: GroupId;
  readonly owner: string | undefined;
  /** Whether there are notes: only their first line is listed. */
  readonly hasNotes: boolean;
}

/** Groups that have snapshots, by type and id. @throws {ProtocolError} */
export function parseGroups(data: unknown, ns: Namespace, server: string): ListedGroup[] {
  return answerOf(GROUPS, data, server)
    .filter((group) => group["backup-count"] > 0)
    .map((group) => ({
      id: { ns, type: group["backup-type"], id: group["backup-id"] } as GroupId,
      owner: group.owner ?? undefined,
      hasNotes: (group.comment ?? "") !== "",
    }))
    .toSorted((a, b) => compare(a.id.type, b.id.type) || compare(a.id.id, b.id.id));
}

/** A snapshot as it is listed. */
export interface ListedSnapshot {
  /** Without its notes. */
  readonly info: SnapshotInfo;
  /** Whether there are notes: only their first line is listed. */
  readonly hasNotes: boolean;
}

/** Snapshots, oldest first. @throws {ProtocolError} */
export function parseSnapshots(data: unknown, ns: Namespace, server: string): ListedSnapshot[] {
  return answerOf(SNAPSHOTS, data, server)
    .map((snapshot) => {
      const files = snapshot.files.map(toFile).toSorted((a, b) => rank(a) - rank(b));
      const isFinished = files.some(({ name }) => name === MANIFEST_NAME);
      const listed = files.filter(({ name, cryptMode }) =>
        cryptMode !== undefined && name !== MANIFEST_NAME
      );
      const group = { ns, type: snapshot["backup-type"], id: snapshot["backup-id"] } as GroupId;
      const info: SnapshotInfo = {
        id: { group, time: snapshot["backup-time"] },
        owner: snapshot.owner ?? undefined,
        isProtected: snapshot.protected ?? false,
        isFinished,
        files,
        size: isFinished ? listed.reduce((sum, { size }) => sum + size, 0) : undefined,
        notes: undefined,
        keyFingerprint: snapshot.fingerprint ?? undefined,
        verifyState: snapshot.verification ?? undefined,
        error: undefined,
      };
      return { info, hasNotes: (snapshot.comment ?? "") !== "" };
    })
    .toSorted((a, b) => a.info.id.time - b.info.id.time);
}

/** Namespaces, parents first. @throws {ProtocolError} */
export function parseNamespaces(data: unknown, server: string): Namespace[] {
  return answerOf(NAMESPACES, data, server)
    .map(({ ns }) => located(() => parseNamespace(ns), server))
    .toSorted();
}

/** Space of a datastore. @throws {ProtocolError} */
export function parseSpace(data: unknown, server: string): StorageSpace {
  const { total, used, avail } = answerOf(SPACE, data, server);
  return { totalBytes: total, usedBytes: used, availableBytes: avail };
}

/** Notes. @throws {ProtocolError} */
export function parseText(data: unknown, server: string): string {
  return answerOf(v.string(), data, server);
}

type ListedFile = v.InferOutput<typeof FILES>[number];

/** The manifest is no file of itself. */
function toFile(file: ListedFile): SnapshotFile {
  const { filename: name, size, "crypt-mode": mode } = file;
  const cryptMode = name === MANIFEST_NAME
    ? undefined
    : CRYPT_MODES.find((known) => known === mode);
  return { name, size: size ?? 0, cryptMode };
}

/** Files of the manifest in its order, then the manifest, and the client's log last. */
function rank({ name, cryptMode }: SnapshotFile): number {
  if (cryptMode !== undefined) return 0;
  return name === MANIFEST_NAME ? 1 : name === CLIENT_LOG_NAME ? 3 : 2;
}

/** What an answer says, if it has that form. @throws {ProtocolError} */
export function answerOf<Schema extends v.GenericSchema>(
  schema: Schema,
  data: unknown,
  server: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, data);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  throw nonsense(server, `${path ?? "data"}: ${issue.message}`);
}

function located<Result>(run: () => Result, server: string): Result {
  try {
    return run();
  } catch (error) {
    throw nonsense(server, error instanceof Error ? error.message : String(error));
  }
}

function nonsense(server: string, reason: string): ProtocolError {
  return new ProtocolError(`Cannot understand the answer of ${server}: ${reason}`);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
