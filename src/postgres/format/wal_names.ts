/**
 * Places in the WAL, the names of its segments, and the histories of its timelines. Pure.
 *
 * A history, in `NNNNNNNN.history`, has a line for each timeline that its own goes back to: number
 * and the place where that was left, separated by blanks, then for what reason.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";

/** A stretch of the WAL. */
export interface WalRange {
  readonly timeline: number;
  /** Its first byte. */
  readonly start: bigint;
  /** The byte behind its last one. */
  readonly end: bigint;
}

/** A timeline on the way to another. */
export interface TimelineStep {
  readonly timeline: number;
  /** Where the one before was left; 0 for the first. */
  readonly start: bigint;
  /** Where it was left itself; undefined for the last. */
  readonly end: bigint | undefined;
}

const TIMELINE_MAX = 0xffff_ffff;
/** Segments are counted anew each 4 GiB. */
const NAME_PART_BITS = 32n;

/** `X/X` as a number; undefined when it is no place in the WAL. */
export function parseLsn(text: string): bigint | undefined {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/iu.exec(text);
  return match === null ? undefined : BigInt(`0x${match[1]}`) << 32n | BigInt(`0x${match[2]}`);
}

/** Name of the segment with a place in it. */
export function segmentName(timeline: number, lsn: bigint, segmentSizeBytes: number): string {
  const part = lsn >> NAME_PART_BITS;
  const number = (lsn & 0xffff_ffffn) / BigInt(segmentSizeBytes);
  return [BigInt(timeline), part, number].map(hex).join("");
}

/** Name of the file with the history of a timeline. */
export function historyName(timeline: number): string {
  return `${hex(BigInt(timeline))}.history`;
}

/**
 * The way to a timeline, oldest first; the last is the timeline itself.
 *
 * @param text of its history; empty for one that goes back to no other
 * @param path of the history, for messages
 * @throws {FormatError}
 */
export function parseTimelineHistory(
  text: string,
  timeline: number,
  path: string,
): TimelineStep[] {
  const steps: TimelineStep[] = [];
  let start = 0n;
  for (const line of text.split("\n")) {
    if (/^\s*(?:#|$)/u.test(line)) continue;
    const [, number, place = ""] = /^\s*(\d{1,10})\s+(\S+)(?:\s|$)/u.exec(line) ?? [];
    const end = parseLsn(place);
    const former = steps.at(-1)?.timeline ?? 0;
    const isNext = Number(number) > former && Number(number) < timeline;
    if (end === undefined || end < start || !isNext) {
      throw new FormatError(`Cannot read the history of timeline ${timeline}: "${line}"`, { path });
    }
    steps.push({ timeline: Number(number), start, end });
    start = end;
  }
  return [...steps, { timeline, start, end: undefined }];
}

/** Whether it can be the number of a timeline. */
export function isTimeline(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value <= TIMELINE_MAX;
}

function hex(value: bigint): string {
  return value.toString(16).toUpperCase().padStart(8, "0");
}
