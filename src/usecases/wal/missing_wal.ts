/**
 * Whether all WAL is there that a recovery needs, before anybody waits for it: a server that misses
 * a segment says so only when everything else is in its place.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import {
  historyName,
  isTimeline,
  parseLsn,
  parseTimelineHistory,
  segmentName,
  type TimelineStep,
} from "#src/postgres/format/wal_names.ts";
import type { RecoveryTarget } from "#src/postgres/settings.ts";
import type { DirectoryNode } from "#src/tree/node.ts";
import { fileIn, readText } from "../data_directory_files.ts";
import type { ArchiveDirectory } from "./archive_directory.ts";
import type { NeededWal } from "./needed_wal.ts";

/** A recovery, and where its WAL comes from. */
export interface PlannedRecovery {
  /** Of the backup, for messages. */
  readonly label: string;
  readonly needed: NeededWal;
  /** The data directory. */
  readonly root: DirectoryNode;
  /** The archive that the server will ask; undefined: none. */
  readonly archive: ArchiveDirectory | undefined;
  readonly target?: RecoveryTarget | undefined;
  /** A number, `current` or `latest`. Default: `current`, that of the backup. */
  readonly timeline?: string | undefined;
}

/** The first segment that is missing. */
export interface MissingSegment {
  readonly name: string;
  /** The backup is consistent without it: only the target is behind it. */
  readonly isForTarget: boolean;
}

const WAL_DIRECTORY = "pg_wal";
const HISTORY_SIZE_MAX = 1 << 20;

/**
 * Looks for what a recovery needs to be consistent, and for what lies between that and a target
 * that is a place in the WAL: where others are, only the WAL itself tells.
 *
 * @returns undefined where nothing is known to be missing
 * @throws {StateError} `not-found` for a timeline that is not there, or leads past the backup
 * @throws {FormatError | OsError}
 */
export function findMissingWal(recovery: PlannedRecovery): MissingSegment | undefined {
  const { root, needed: { ranges } } = recovery;
  // A link leads to a place that the source does not have, and the target may.
  if (root.lookup(WAL_DIRECTORY)?.kind === "symlink") return undefined;
  const wal = new Wal(recovery);
  for (const { timeline, start, end } of ranges) {
    const name = wal.firstMissing(start, end, () => timeline);
    if (name !== undefined) return { name, isForTarget: false };
  }
  const { target } = recovery;
  const goal = target?.type === "lsn" ? parseLsn(target.value) : undefined;
  if (goal === undefined || recovery.archive === undefined) return undefined;
  const name = wal.firstMissing(ranges.at(-1)!.end, goal + 1n, (lsn) => wal.timelineAt(lsn));
  return name === undefined ? undefined : { name, isForTarget: true };
}

/** What to do about a segment that is missing. */
interface WayOut {
  readonly hint: string;
  readonly option?: string;
}

const FROM_ARCHIVE: WayOut = {
  hint: "The archive of the catalog has it: recover from there",
  option: "recoveryTarget",
};

/**
 * Refuses a recovery for which a segment is missing.
 *
 * @param asksArchive whether the server asks the archive; else it has what is in the data directory
 * @param ways out where the server asks the archive, and where the archive would not help either
 * @throws {StateError} `wal-missing`, and what {@link findMissingWal} throws
 * @throws {FormatError | OsError}
 */
export function requireWal(
  recovery: PlannedRecovery,
  asksArchive: boolean,
  ways: { readonly fromElsewhere: WayOut; readonly withoutArchive: WayOut },
): void {
  const planned = asksArchive ? recovery : { ...recovery, archive: undefined };
  const missing = findMissingWal(planned);
  if (missing === undefined) return;
  if (asksArchive) throw missingWal(planned, missing, ways.fromElsewhere);
  const isArchived = recovery.archive !== undefined && findMissingWal(recovery) === undefined;
  throw missingWal(planned, missing, isArchived ? FROM_ARCHIVE : ways.withoutArchive);
}

function missingWal(
  { label, archive, target }: PlannedRecovery,
  { name, isForTarget }: MissingSegment,
  wayOut: WayOut,
): StateError {
  const goal = isForTarget && target?.type === "lsn" ? ` to lsn "${target.value}"` : "";
  const place = archive === undefined ? "in the backup" : `in "${archive.path}"`;
  const message = `Cannot recover ${label}${goal}: segment ${name} of the WAL is missing ${place}`;
  return new StateError("wal-missing", message, wayOut);
}

/** Segments of the data directory and of the archive, on the way to a timeline. */
class Wal {
  readonly #recovery: PlannedRecovery;
  readonly #directory: DirectoryNode | undefined;
  /** Oldest first. */
  readonly #way: readonly TimelineStep[];

  constructor(recovery: PlannedRecovery) {
    const directory = recovery.root.lookup(WAL_DIRECTORY);
    this.#recovery = recovery;
    this.#directory = directory?.kind === "directory" ? directory : undefined;
    this.#way = this.#findWay();
  }

  /** The timeline that has a place. */
  timelineAt(lsn: bigint): number {
    return this.#way.findLast(({ start }) => start <= lsn)!.timeline;
  }

  /** Name of the first segment of a stretch that is nowhere. @param timelineAt for its name */
  firstMissing(
    start: bigint,
    end: bigint,
    timelineAt: (lsn: bigint) => number,
  ): string | undefined {
    const { segmentSizeBytes } = this.#recovery.needed;
    const size = BigInt(segmentSizeBytes);
    for (let lsn = start - start % size; lsn < end; lsn += size) {
      const own = timelineAt(lsn);
      // As the server does: a segment in which a timeline begins has what was before, too.
      const others = this.#way.filter((step) => step.start < lsn + size)
        .map(({ timeline }) => timeline);
      const names = new Set(
        [own, ...others].map((each) => segmentName(each, lsn, segmentSizeBytes)),
      );
      if (![...names].some((name) => this.#has(name))) return [...names][0];
    }
    return undefined;
  }

  #has(name: string): boolean {
    const { archive, needed: { segmentSizeBytes } } = this.#recovery;
    const own = this.#directory && fileIn(this.#directory, name);
    return own?.attributes.size === segmentSizeBytes ||
      archive?.hasSegment(name, segmentSizeBytes) === true;
  }

  #findWay(): TimelineStep[] {
    const { needed: { ranges }, archive, timeline: wanted = "current", label } = this.#recovery;
    const { timeline: own, end } = ranges.at(-1)!;
    const timeline = archive === undefined || wanted === "current"
      ? own
      : wanted === "latest"
      ? this.#latestTimeline(own)
      // What is none, the server refuses.
      : isTimeline(Number(wanted))
      ? Number(wanted)
      : own;
    const way = this.#readHistory(timeline) ?? this.#wayWithoutHistory(timeline, own);
    const step = way.find((each) => each.timeline === own);
    if (step !== undefined && (step.end === undefined || step.end >= end)) return way;
    throw new StateError(
      "not-found",
      `Cannot recover ${label} along timeline ${timeline}: it does not go through the backup`,
      { hint: "Choose another timeline, or another backup", option: "recoveryTargetTimeline" },
    );
  }

  /** The one that the server takes for the latest: numbers have no gaps there. */
  #latestTimeline(own: number): number {
    let latest = own;
    while (isTimeline(latest + 1) && this.#readHistory(latest + 1) !== undefined) latest++;
    return latest;
  }

  /** That of the backup may go back to others, of which it needs nothing; the first has none. */
  #wayWithoutHistory(timeline: number, own: number): TimelineStep[] {
    if (timeline === own || timeline === 1) return parseTimelineHistory("", timeline, "");
    throw new StateError(
      "not-found",
      `Cannot recover ${this.#recovery.label} along timeline ${timeline}: ` +
        `there is no "${historyName(timeline)}" in "${this.#recovery.archive!.path}"`,
      { hint: "Choose another timeline", option: "recoveryTargetTimeline" },
    );
  }

  #readHistory(timeline: number): TimelineStep[] | undefined {
    const archived = this.#recovery.archive?.readHistory(timeline);
    if (archived !== undefined) return archived;
    const name = historyName(timeline);
    const own = this.#directory && fileIn(this.#directory, name);
    return own && parseTimelineHistory(readText(own, HISTORY_SIZE_MAX), timeline, name);
  }
}
