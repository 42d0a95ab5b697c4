/**
 * Parameters that many calls have.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import {
  type BackupType,
  type GroupId,
  type Namespace,
  parseNamespace,
  type SnapshotId,
} from "../../format/snapshot_path.ts";
import { FILE_NAME_PATTERN } from "../parameters.ts";
import { Refusal } from "../refusal.ts";

const TIME_MAX = 253_402_300_799;
const NOTES_LENGTH_MAX = 65_536;

/** Name of a datastore. */
export const STORE = {
  store: { kind: "text", pattern: /^[A-Za-z0-9_][A-Za-z0-9._-]*$/, lengthMax: 32 },
} as const;
/** A namespace; left out: the root. */
export const NS = { kind: "text", isOptional: true } as const;
/** Type of a group. */
export const TYPE = { kind: "text", pattern: /^(?:vm|ct|host)$/ } as const;
/** Id of a group. */
export const ID = { kind: "text", pattern: FILE_NAME_PATTERN, lengthMax: 255 } as const;
/** Time of a snapshot. */
export const TIME = { kind: "integer", min: 1, max: TIME_MAX } as const;
/** A file of a snapshot. */
export const FILE_NAME = { kind: "text", pattern: FILE_NAME_PATTERN } as const;
/** What people write. */
export const NOTES = { kind: "text", lengthMax: NOTES_LENGTH_MAX } as const;
/** A switch that may be left out. */
export const SWITCH = { kind: "boolean", isOptional: true } as const;

/** A group of a datastore. */
export const GROUP = { ...STORE, ns: NS, "backup-type": TYPE, "backup-id": ID } as const;
/** A snapshot of a datastore. */
export const SNAPSHOT = { ...GROUP, "backup-time": TIME } as const;

/** Values of {@link GROUP}. */
export interface GroupParameters {
  readonly ns?: string;
  readonly "backup-type": string;
  readonly "backup-id": string;
}

/** The namespace of a call. @throws {Refusal} */
export function namespaceOfCall(text = "", name = "ns"): Namespace {
  try {
    return parseNamespace(text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new Refusal(
      400,
      `parameter verification failed - '${name}': value does not match the regex pattern`,
    );
  }
}

/** The group of a call. @throws {Refusal} */
export function groupOfCall(parameters: GroupParameters): GroupId {
  return {
    ns: namespaceOfCall(parameters.ns),
    type: parameters["backup-type"] as BackupType,
    id: parameters["backup-id"],
  };
}

/** The snapshot of a call. @throws {Refusal} */
export function snapshotOfCall(
  parameters: GroupParameters & { readonly "backup-time": number },
): SnapshotId {
  return { group: groupOfCall(parameters), time: parameters["backup-time"] };
}
