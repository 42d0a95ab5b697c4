/**
 * From a backup to the FULL backup it stands on, and whether that chain can be opened.
 *
 * @module
 */

import { type Failure, FormatError, StateError } from "#src/errors.ts";
import { type Backup, findBackup, type Instance, knownBackups } from "./catalog.ts";
import type { BackupControl, BackupStatus } from "./format/control.ts";
import { LAYERS_MAX } from "./format/page_map.ts";
import { PAGE_SIZE } from "./format/page_stream.ts";

/** A member of a chain: a backup whose control file was read. */
export interface ChainMember extends Backup {
  /** Always there: a backup without one cannot be a member. */
  readonly control: BackupControl;
}

/** Target first, its parents after it, the FULL backup last. */
export type Chain = readonly ChainMember[];

/** Longest chain that is opened. */
export const CHAIN_LENGTH_MAX = 4096;

/**
 * Program versions whose format is known: `major * 10000 + minor * 100 + micro`, as the format
 * compares them.
 */
const PROGRAM_VERSION_MIN = 20400;
const PROGRAM_VERSION_END = 20600;

/** Why a chain cannot be opened. */
export interface Obstacle {
  /** What to throw when the chain must not be opened. */
  readonly error: Error & Failure;
  /** `--force` passes over it. */
  readonly isForceable: boolean;
}

/** What {@link inspectChain} found. */
export interface ChainReport {
  /** As far as it could be followed. */
  readonly members: Chain;
  /** The most important one, if there is any. */
  readonly obstacle?: Obstacle | undefined;
}

/**
 * Follows the parents of `backup` and checks every member.
 *
 * @returns the members that were found, and the first obstacle that nothing passes over, else the
 *   first one that `--force` passes over
 */
export function inspectChain(instance: Instance, backup: Backup): ChainReport {
  const members: ChainMember[] = [];
  let forceable: Obstacle | undefined;
  let current = backup;
  for (;;) {
    const obstacle = inspectMember(current, members.length === 0);
    if (obstacle !== undefined && !obstacle.isForceable) return { members, obstacle };
    forceable ??= obstacle;
    const member = current as ChainMember;
    members.push(member);
    if (member.control.mode === "FULL") {
      return { members, obstacle: forceable };
    }
    const parent = findParent(instance, member, members);
    if ("error" in parent) return { members, obstacle: parent };
    current = parent;
  }
}

/**
 * The chain of a backup, ready to be opened.
 *
 * @throws {StateError} `not-found`: no such backup; `chain-broken`: a parent is missing;
 *   `chain-corrupt`: a status that forbids it (`force` passes over one that only marks the backup
 *   as damaged)
 * @throws {FormatError} `unsupported`: block size or program version
 */
export function resolveChain(instance: Instance, backupId: string, force: boolean): Chain {
  const backup = findBackup(instance, backupId);
  if (backup === undefined) {
    throw new StateError(
      "not-found",
      `Cannot find backup ${backupId.toUpperCase()} in instance "${instance.name}"`,
      { hint: knownBackups([instance]) },
    );
  }
  const { members, obstacle } = inspectChain(instance, backup);
  if (obstacle !== undefined && !(force && obstacle.isForceable)) throw obstacle.error;
  return members;
}

function findParent(
  instance: Instance,
  member: ChainMember,
  members: Chain,
): Backup | Obstacle {
  const parentId = member.control.parentId;
  if (parentId === undefined) {
    return broken(`backup ${member.id} is ${member.control.mode} and names no parent`);
  }
  if (members.some((known) => known.id === parentId)) {
    return broken(`backup ${parentId} is its own ancestor`);
  }
  if (members.length >= CHAIN_LENGTH_MAX || members.length >= LAYERS_MAX) {
    return broken(`it has more than ${CHAIN_LENGTH_MAX} backups`);
  }
  return findBackup(instance, parentId) ??
    broken(`backup ${parentId}, the parent of ${member.id}, is missing`);
}

function broken(reason: string): Obstacle {
  return {
    error: new StateError("chain-broken", `Cannot follow the chain: ${reason}`),
    isForceable: false,
  };
}

function inspectMember(backup: Backup, isTarget: boolean): Obstacle | undefined {
  const { control } = backup;
  if (control === undefined) {
    const what = isTarget ? "backup" : "parent";
    return broken(`${what} ${backup.id} cannot be read: ${backup.problem ?? "no description"}`);
  }
  const path = `${backup.directory}/backup.control`;
  const problem = unsupportedVersion(control.programVersion) ?? unsupportedBlockSize(control);
  if (problem !== undefined) {
    const error = new FormatError(`Cannot open backup ${backup.id}: ${problem}`, {
      code: "unsupported",
      path,
      backupId: backup.id,
    });
    return { error, isForceable: false };
  }
  return inspectStatus(backup.id, control.mode === "FULL", backup.status);
}

function inspectStatus(id: string, isFull: boolean, status: BackupStatus): Obstacle | undefined {
  if (status === "OK" || status === "DONE") return undefined;
  // While a merge runs, the files of the FULL backup are a mixture of two states.
  const isForceable = status === "CORRUPT" || status === "ORPHAN" ||
    (status === "MERGING" && !isFull);
  const remedyOf = isForceable
    ? { hint: "Validate the backup, or open it as it is", option: "force" }
    : { hint: "Only finished backups can be opened" };
  const message = `Cannot open backup ${id}: status ${status}`;
  const error = new StateError("chain-corrupt", message, remedyOf);
  return { error, isForceable };
}

function unsupportedBlockSize(control: BackupControl): string | undefined {
  if (control.blockSize === PAGE_SIZE) return undefined;
  return `block-size is ${control.blockSize}, supported is ${PAGE_SIZE}`;
}

function unsupportedVersion(version: string): string | undefined {
  const match = /^(\d{1,4})\.(\d{1,2})(?:\.(\d{1,2}))?/.exec(version);
  if (!match) return `program-version is "${version}"`;
  const number = Number(match[1]) * 10000 + Number(match[2]) * 100 + Number(match[3] ?? 0);
  if (number >= PROGRAM_VERSION_END) {
    return `program-version ${version} is newer than the formats known here (2.4.0 to 2.5.x)`;
  }
  if (number < PROGRAM_VERSION_MIN) {
    return `program-version ${version} is older than 2.4.0 and has another format`;
  }
  return undefined;
}
