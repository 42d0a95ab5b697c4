/**
 * A directory of a client that the walk will come to: its listing, and what of it will be asked
 * for, in the order of the walk.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { encodeFileName, encodeFileNameInto } from "#src/bytes/file_name.ts";
import { FieldWriter } from "#src/bytes/fields.ts";
import { sortNames } from "#src/pxar/builder/children.ts";
import { childPath } from "#src/tree/paths.ts";
import type { PathPattern } from "#src/pxar/exclude/pattern.ts";
import { PatternList } from "#src/pxar/exclude/pattern_list.ts";
import { EXCLUDE_FILE_NAME, parseExcludeFile } from "#src/pxar/exclude/pxarexclude_file.ts";
import { NAME_SIZE_MAX, PATH_SIZE_MAX } from "#src/pxar/format/limits.ts";
import {
  type ContentPart,
  type ExpectedWalk,
  type ListAnswer,
  ListRecord,
  writeContent,
  writeListed,
} from "./client_calls.ts";
import { type ClientEntry, type ClientPage, type ContentPiece, pieceSize } from "./provider.ts";

/** Something that the walk will come to. */
export interface PlannedStep {
  readonly name: string;
  /** Its length in bytes; undefined for a directory. */
  readonly fileSize: number | undefined;
  /** Whether its content is expected to be read. */
  readonly isRead: boolean;
  /** Device of a directory. */
  readonly device: number;
  /** Whether somebody has asked the client for it. */
  isAsked: boolean;
}

/** What may become a step, when the patterns are known. */
interface Candidate extends PlannedStep {
  /** Where its record in the listing is. */
  readonly records: Uint8Array;
  readonly at: number;
  readonly entry: ClientEntry | undefined;
}

/** What the walk gets of a listing. */
export interface ListedRecords extends ListAnswer {
  readonly records: readonly Uint8Array[];
}

/** Of a page at a time. */
const listingFields = new FieldWriter(256 << 10);
const pathBytes = new Uint8Array(PATH_SIZE_MAX + NAME_SIZE_MAX + 2);

/** One directory of the plan. */
export class PlannedDirectory {
  /** Path on the client. */
  readonly path: string;
  readonly parent: PlannedDirectory | undefined;
  /** Its place in the parent. */
  readonly index: number;
  /** Of its file system; undefined for the root before its first page has come. */
  device: number | undefined;
  readonly #walk: ExpectedWalk;
  #patterns: readonly PathPattern[];
  #list: PatternList;
  #records: Uint8Array[] = [];
  /** Bytes of the records. */
  heldBytes = 0;
  #candidates: Candidate[] = [];
  /** What comes in it, sorted; undefined until it was listed. */
  steps: readonly PlannedStep[] | undefined;
  /** Settled when it is listed, or cannot be. */
  readonly listed = Promise.withResolvers<void>();
  #listing: ListedRecords | undefined;
  /** Settled when the walk waits for the listing, or never will. */
  readonly demanded = Promise.withResolvers<void>();
  /** Whether the walk has the listing. */
  isTaken = false;
  /** First step that was not looked at for listings. */
  nextToList = 0;
  /** First step behind the files that were asked for. */
  nextToRead = 0;
  /** PlannedStep of the last file that the walk has taken. */
  nextToTake = 0;
  /** Directories in it that were asked for, by their steps. */
  readonly children = new Map<number, PlannedDirectory>();
  /** Those of them in which directories may wait to be asked for, in the order of the walk. */
  readonly open: PlannedDirectory[] = [];
  /** Files read one after the other that nobody expected to be read. */
  surpriseCount = 0;

  constructor(
    walk: ExpectedWalk,
    path: string,
    place: {
      readonly parent?: PlannedDirectory | undefined;
      readonly index: number;
      readonly device: number | undefined;
      readonly patterns: readonly PathPattern[];
    },
  ) {
    this.#walk = walk;
    this.path = path;
    this.parent = place.parent;
    this.index = place.index;
    this.device = place.device;
    this.#patterns = place.patterns;
    this.#list = new PatternList(place.patterns);
    // Nobody may ever wait for it.
    this.listed.promise.catch(() => {});
  }

  /** Patterns in force in it, those of its own file among them. */
  get patterns(): readonly PathPattern[] {
    return this.#patterns;
  }

  /** The path of a name in it. */
  pathOf(name: string): string {
    return childPath(this.path, name);
  }

  /** Takes the content of its `.pxarexclude`. */
  exclude(part: ContentPart): void {
    const fields = new FieldWriter();
    writeContent(fields, part);
    this.#records.push(fields.bytes);
    const content = joined(part.pieces);
    const { patterns } = parseExcludeFile(content, encodeFileName(this.#relativePath));
    if (patterns.length === 0) return;
    this.#patterns = [...this.#patterns, ...patterns];
    this.#list = new PatternList(this.#patterns);
  }

  /** Takes a part of the listing. @returns whether its `.pxarexclude` is in it */
  add(page: ClientPage): boolean {
    const fields = listingFields;
    fields.truncate(0);
    const found: Candidate[] = [];
    const places: number[] = [];
    let hasExcludeFile = false;
    for (const entry of page.entries) {
      places.push(fields.size);
      writeListed(fields, ListRecord.ENTRY, entry);
      hasExcludeFile ||= isExcludeFile(entry);
    }
    for (const { name, errno } of page.failures) {
      fields.u8(ListRecord.FAILURE);
      fields.name(name);
      fields.u16(errno);
    }
    const records = fields.bytes.slice();
    page.entries.forEach((entry, index) => {
      const step = this.#stepOf(entry);
      if (step === undefined) return;
      // Only links have to be told from each other later.
      const linked = entry.linkCount > 1 ? entry : undefined;
      found.push({ ...step, records, at: places[index]!, entry: linked });
    });
    for (const candidate of found) this.#candidates.push(candidate);
    this.#records.push(records);
    this.heldBytes += records.length;
    return hasExcludeFile;
  }

  /** The listing is over. @param isFirstName whether a file with several names is a new one */
  finish(answer: ListAnswer, isFirstName: (entry: ClientEntry) => boolean): void {
    const prefixSize = encodeFileNameInto(`${this.#relativePath}/`, pathBytes);
    const wanted = this.#candidates.filter(({ name, fileSize }) =>
      !this.#isExcluded(name, fileSize === undefined, prefixSize)
    );
    this.#candidates = [];
    this.steps = sortNames(wanted).map((candidate): PlannedStep => {
      const { name, fileSize, device, records, at, entry } = candidate;
      const isRead = candidate.isRead && (entry === undefined || isFirstName(entry));
      if (isRead) records[at] = ListRecord.READ;
      return { name, fileSize, isRead, device, isAsked: false };
    });
    this.#listing = { ...answer, records: this.#records };
    this.#records = [];
    this.listed.resolve();
  }

  /** Hands the listing to the walk, once. */
  take(): ListedRecords | undefined {
    const listing = this.#listing;
    this.#listing = undefined;
    this.isTaken = true;
    this.heldBytes = 0;
    return listing;
  }

  /** The next directory of which nobody has asked the client, in it or below. */
  nextDirectory(): PlannedDirectory | undefined {
    while (this.open.length > 0) {
      const found = this.open[0]!.nextDirectory();
      if (found !== undefined) return found;
      this.open.shift();
    }
    const steps = this.steps ?? [];
    while (this.nextToList < steps.length) {
      const index = this.nextToList++;
      const { fileSize, isAsked } = steps[index]!;
      if (fileSize === undefined && !isAsked) return this.child(index);
    }
    return undefined;
  }

  /** Makes the directory of a step. */
  child(index: number): PlannedDirectory {
    const step = this.steps![index]!;
    step.isAsked = true;
    const child = new PlannedDirectory(this.#walk, this.pathOf(step.name), {
      parent: this,
      index,
      device: step.device,
      patterns: this.#patterns,
    });
    this.children.set(index, child);
    return child;
  }

  /** Below it there may be directories to ask for. */
  reopen(): void {
    const { parent } = this;
    if (parent === undefined || parent.open.includes(this)) return;
    const at = parent.open.findIndex(({ index }) => index > this.index);
    parent.open.splice(at < 0 ? parent.open.length : at, 0, this);
    parent.reopen();
  }

  /** Path from the source, as patterns see it. */
  get #relativePath(): string {
    const { root } = this.#walk;
    return this.path.slice(root === "/" ? (this.path === "/" ? 1 : 0) : root.length);
  }

  #stepOf({ name, metadata, ...entry }: ClientEntry): PlannedStep | undefined {
    const { device, sizeBytes, openErrno, ctimeSeconds } = entry;
    const type = entryType(metadata.mode);
    if (openErrno !== undefined) return undefined;
    if (type === EntryType.FILE) {
      const isRead = name !== EXCLUDE_FILE_NAME &&
        this.#isChanged(Math.max(metadata.mtime.seconds, ctimeSeconds ?? -Infinity));
      return { name, fileSize: sizeBytes, isRead, device, isAsked: false };
    }
    if (type !== EntryType.DIRECTORY) return undefined;
    if (device !== this.device && !this.#walk.allFileSystems) return undefined;
    return { name, fileSize: undefined, isRead: false, device, isAsked: false };
  }

  #isExcluded(name: string, isDirectory: boolean, prefixSize: number): boolean {
    if (this.#list.length === 0 || prefixSize < 0) return false;
    const length = prefixSize + encodeFileNameInto(name, pathBytes.subarray(prefixSize));
    return this.#list.decide(pathBytes, length, isDirectory) === "exclude";
  }

  #isChanged(seconds: number): boolean {
    const since = this.#walk.readsSinceSeconds;
    return since === undefined || (since !== "never" && seconds >= since);
  }
}

/** Whether an entry may have patterns in it. */
function isExcludeFile({ name, metadata, openErrno }: ClientEntry): boolean {
  return name === EXCLUDE_FILE_NAME && openErrno === undefined &&
    entryType(metadata.mode) === EntryType.FILE;
}

function joined(pieces: readonly ContentPiece[]): Uint8Array {
  const size = pieces.reduce((sum, piece) => sum + pieceSize(piece), 0);
  const content = new Uint8Array(size);
  let position = 0;
  for (const piece of pieces) {
    if (piece instanceof Uint8Array) content.set(piece, position);
    position += pieceSize(piece);
  }
  return content;
}
