/**
 * Asks a client for what the walk will want next, before it wants it: listings of directories, and
 * contents of files. Many requests are under way at a time, so that the way to the client costs
 * its delay a few times in all, not once for each entry.
 *
 * What is held is bounded. What the walk waits for is asked for in any case, so that nothing can
 * stand in its way: neither a bound nor what was asked for and is not wanted.
 *
 * @module
 */

import { OsError } from "#src/errors.ts";
import { PathPattern } from "#src/pxar/exclude/pattern.ts";
import { parseExcludeOptions } from "#src/pxar/exclude/pattern_list.ts";
import { EXCLUDE_FILE_NAME, EXCLUDE_FILE_SIZE_MAX } from "#src/pxar/exclude/pxarexclude_file.ts";
import type { CheckedProvider } from "./checked_provider.ts";
import type { ContentPart, ExpectedWalk, ListAnswer } from "./client_calls.ts";
import { ContentStream, WINDOW_BYTES } from "./content_stream.ts";
import { type ListedRecords, PlannedDirectory, type PlannedStep } from "./planned_directory.ts";
import type { ClientEntry, ContentPiece } from "./provider.ts";

/** Directories that are listed at a time. */
const LISTINGS_UNDER_WAY_MAX = 64;
/** Directories that are listed before the walk comes to them. */
const LISTINGS_AHEAD_MAX = 512;
/** Bytes of their listings. */
const LISTING_BYTES_MAX = 16 << 20;
/** Files that are read at a time, or wait to be taken. */
const FILES_AHEAD_MAX = 512;
/** Bytes of contents that are held. */
const CONTENT_BYTES_MAX = 32 << 20;
/** What a file costs besides its bytes. */
const FILE_COST = 1024;
/** Bytes of a name. */
const NAME_SIZE_MAX = 255;
/** So many unexpected reads in a directory let expect that all its files are read. */
const SURPRISES_MAX = 2;

/** Where the files are that will be read: a step of a directory. */
interface Place {
  directory: PlannedDirectory;
  index: number;
}

/** A file that was asked for. */
interface AskedFile {
  readonly stream: ContentStream;
  readonly directory: PlannedDirectory | undefined;
  /** What was set aside for it. */
  readonly cost: number;
}

/** A file to ask for. */
interface NextFile {
  readonly step: PlannedStep;
  readonly size: number;
  readonly directory: PlannedDirectory;
  readonly path: string;
}

/** The requests of one walk. */
export class LookAhead {
  readonly #provider: CheckedProvider;
  readonly #walk: ExpectedWalk;
  readonly #root: PlannedDirectory;
  readonly #rootEntry = Promise.withResolvers<ClientEntry>();
  /** Directories that were asked for and not left, by path. */
  readonly #directories = new Map<string, PlannedDirectory>();
  readonly #files = new Map<string, AskedFile>();
  /** Files with several names that were met. */
  readonly #firstNames = new Set<string>();
  readonly #place: Place;
  #listingCount = 0;
  #aheadCount = 0;
  #listingBytes = 0;
  #contentCost = 0;
  #isOver = false;

  /** Asks for the first directory. */
  constructor(provider: CheckedProvider, walk: ExpectedWalk) {
    this.#provider = provider;
    this.#walk = walk;
    const patterns = parseExcludeOptions(walk.exclude);
    if (walk.skipsLostAndFound) patterns.push(PathPattern.parse("lost+found"));
    this.#root = new PlannedDirectory(walk, walk.root, { index: 0, device: undefined, patterns });
    // Nobody may ever wait for it.
    this.#rootEntry.promise.catch(() => {});
    this.#place = { directory: this.#root, index: 0 };
    this.#ask(this.#root);
  }

  /** The first directory itself. @throws {OsError} when it cannot be looked at */
  get root(): Promise<ClientEntry> {
    return this.#rootEntry.promise;
  }

  /** Whether nothing more is wanted. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The listing of a directory, as soon as it is there. */
  async listing(path: string): Promise<ListedRecords> {
    const known = this.#find(path);
    const directory = known !== undefined && !known.isTaken ? known : this.#beside(path);
    directory.demanded.resolve();
    if (directory === known && !this.#directories.has(path)) this.#ask(directory);
    await directory.listed.promise;
    if (directory === known) {
      this.#aheadCount--;
      this.#listingBytes -= directory.heldBytes;
    }
    const listing = directory.take()!;
    this.pump();
    return listing;
  }

  /**
   * The content of a file from an offset on, as far as it is there, and contents of files that the
   * walk will come to next.
   *
   * @param sizeMax bytes of all of them
   */
  async contents(path: string, offset: number, sizeMax: number): Promise<ContentPart[]> {
    const { stream, directory } = this.#demand(path, offset);
    await stream.ready();
    let left = sizeMax - stream.heldBytes;
    const parts = [this.#take(stream, offset, sizeMax)];
    const following = directory === undefined ? [] : this.#following(directory, path);
    for (const next of following) {
      const asked = this.#files.get(next);
      if (asked === undefined || !asked.stream.isComplete) break;
      left -= costOf(asked.stream);
      if (left < 0) break;
      parts.push(this.#take(asked.stream, 0, sizeMax));
    }
    this.pump();
    return parts;
  }

  /** Nothing more is wanted of a file. */
  close(path: string): void {
    this.#drop(path);
    this.pump();
  }

  /** Nothing more is wanted of a directory. */
  leave(path: string): void {
    const directory = this.#directories.get(path);
    if (directory === undefined) return;
    this.#forget(directory);
    for (const { stream, directory: of } of this.#files.values()) {
      if (of !== undefined && isWithin(of, directory)) this.#drop(stream.path);
    }
    if (isWithin(this.#place.directory, directory)) {
      const { parent, index } = directory;
      if (parent === undefined) this.end();
      else Object.assign(this.#place, { directory: parent, index: index + 1 });
    }
    this.pump();
  }

  /** Nothing more is wanted at all. */
  end(): void {
    this.#isOver = true;
    for (const path of [...this.#files.keys()]) this.#drop(path);
  }

  /** Asks for as much as the bounds allow. */
  pump(): void {
    while (!this.#isOver && this.#mayList()) {
      const directory = this.#root.nextDirectory();
      if (directory === undefined) break;
      this.#ask(directory);
    }
    while (!this.#isOver && this.#files.size < FILES_AHEAD_MAX) {
      const next = this.#nextFile();
      if (next === undefined) break;
      const cost = FILE_COST + Math.min(next.size, WINDOW_BYTES);
      if (this.#contentCost > 0 && this.#contentCost + cost > CONTENT_BYTES_MAX) break;
      next.step.isAsked = true;
      next.directory.nextToRead = this.#place.index + 1;
      this.#read(next.path, 0, next.directory, cost);
    }
  }

  #mayList(): boolean {
    return this.#listingCount < LISTINGS_UNDER_WAY_MAX &&
      this.#aheadCount < LISTINGS_AHEAD_MAX && this.#listingBytes < LISTING_BYTES_MAX;
  }

  /** The directory of a path, when the plan knows it or its parent. */
  #find(path: string): PlannedDirectory | undefined {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const end = path.lastIndexOf("/");
    const parent = this.#directories.get(path.slice(0, end) || "/");
    const name = path.slice(end + 1);
    const index =
      parent?.steps?.findIndex((step) => step.name === name && step.fileSize === undefined) ?? -1;
    return index < 0 || parent!.steps![index]!.isAsked ? undefined : parent!.child(index);
  }

  /** A directory that is in no plan, or is wanted once more: its files are not read ahead. */
  #beside(path: string): PlannedDirectory {
    const walk = { ...this.#walk, readsSinceSeconds: "never" as const };
    const directory = new PlannedDirectory(walk, path, { index: 0, device: -1, patterns: [] });
    void this.#list(directory);
    return directory;
  }

  #ask(directory: PlannedDirectory): void {
    this.#directories.set(directory.path, directory);
    this.#aheadCount++;
    this.#listingCount++;
    void this.#list(directory).then(() => {
      this.#listingCount--;
      directory.reopen();
      this.pump();
    });
  }

  async #list(directory: PlannedDirectory): Promise<void> {
    try {
      const answer = await this.#readListing(directory);
      if (answer.hasExcludeFile) {
        directory.exclude(await this.#readExcludeFile(directory.pathOf(EXCLUDE_FILE_NAME)));
      }
      directory.finish(answer, (entry) => this.#isFirstName(entry));
    } catch (error) {
      if (directory === this.#root) this.#rootEntry.reject(error);
      directory.listed.reject(error);
    }
  }

  async #readListing(
    directory: PlannedDirectory,
  ): Promise<ListAnswer & { readonly hasExcludeFile: boolean }> {
    let isPseudo: boolean | undefined;
    let hasExcludeFile = false;
    try {
      for await (const page of this.#provider.readDirectory(directory.path)) {
        isPseudo ??= page.self?.isPseudo;
        if (directory.device === undefined) await this.#meetRoot(page.self?.entry);
        const before = directory.heldBytes;
        if (directory.add(page)) hasExcludeFile = true;
        if (!directory.isTaken) this.#listingBytes += directory.heldBytes - before;
        // A very large one goes on when the walk is there.
        if (this.#listingBytes > LISTING_BYTES_MAX) await directory.demanded.promise;
      }
      if (directory.device === undefined) await this.#meetRoot(undefined);
      return { errno: undefined, isPseudo, hasExcludeFile };
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      if (directory.device === undefined) await this.#meetRoot(undefined);
      return { errno: error.errno, isPseudo, hasExcludeFile };
    }
  }

  /** The first directory is known by its listing; those who do not tell it there are asked. */
  async #meetRoot(self: ClientEntry | undefined): Promise<void> {
    const entry = self ?? await this.#provider.stat(this.#walk.root);
    this.#root.device = entry.device;
    this.#rootEntry.resolve(entry);
  }

  async #readExcludeFile(path: string): Promise<ContentPart> {
    const stream = new ContentStream(this.#provider, path, 0);
    const pieces: ContentPiece[] = [];
    do {
      await stream.ready();
      pieces.push(...stream.take(EXCLUDE_FILE_SIZE_MAX + 1));
    } while (!stream.isOver && stream.position <= EXCLUDE_FILE_SIZE_MAX);
    stream.cancel();
    const { entry, errno } = stream;
    const isEnd = stream.position <= EXCLUDE_FILE_SIZE_MAX;
    return { path, offset: 0, entry, pieces: isEnd ? pieces : [], errno, isEnd, isFreed: false };
  }

  #isFirstName({ device, ino }: ClientEntry): boolean {
    const key = `${device}:${ino}`;
    if (this.#firstNames.has(key)) return false;
    this.#firstNames.add(key);
    return true;
  }

  /** The stream of a file at an offset; what is not there is asked for at once. */
  #demand(path: string, offset: number): AskedFile {
    const asked = this.#files.get(path);
    if (asked?.stream.position === offset) return asked;
    const end = path.lastIndexOf("/");
    const directory = asked?.directory ?? this.#directories.get(path.slice(0, end) || "/");
    this.#drop(path);
    if (directory !== undefined && offset === 0) this.#passTo(directory, path.slice(end + 1));
    return this.#read(path, offset, directory, FILE_COST + WINDOW_BYTES);
  }

  /** The walk is at a file that was not asked for: what is read ahead begins behind it. */
  #passTo(directory: PlannedDirectory, name: string): void {
    const steps = directory.steps ?? [];
    const index = steps.findIndex((step, at) => at >= directory.nextToRead && step.name === name);
    if (index < 0) return;
    if (!steps[index]!.isRead) directory.surpriseCount++;
    steps[index]!.isAsked = true;
    directory.nextToRead = index + 1;
    Object.assign(this.#place, { directory, index: index + 1 });
  }

  #read(
    path: string,
    offset: number,
    directory: PlannedDirectory | undefined,
    cost: number,
  ): AskedFile {
    const stream = new ContentStream(this.#provider, path, offset);
    const asked = { stream, directory, cost };
    this.#files.set(path, asked);
    this.#contentCost += cost;
    return asked;
  }

  #take(stream: ContentStream, offset: number, sizeMax: number): ContentPart {
    const { path, entry, isFreed } = stream;
    const pieces = stream.take(sizeMax);
    const isEnd = stream.isTaken;
    const errno = isEnd ? stream.errno : undefined;
    if (isEnd) this.#drop(path);
    return { path, offset, entry, pieces, errno, isEnd: isEnd && errno === undefined, isFreed };
  }

  /** Paths of the files that were asked for in a directory, behind one of them. */
  *#following(directory: PlannedDirectory, path: string): Generator<string> {
    const steps = directory.steps ?? [];
    const name = path.slice(path.lastIndexOf("/") + 1);
    let index = directory.nextToTake;
    while (index < steps.length && steps[index]!.name !== name) index++;
    if (index === steps.length) return;
    for (index++; index < steps.length; index++) {
      directory.nextToTake = index;
      const { fileSize, isAsked, name } = steps[index]!;
      if (fileSize !== undefined && isAsked) yield directory.pathOf(name);
    }
  }

  /** The next file that is expected to be read, of those whose directories are known. */
  #nextFile(): NextFile | undefined {
    const place = this.#place;
    for (;;) {
      const { directory, index } = place;
      const step = directory.steps?.[index];
      if (step === undefined) {
        // Either it is not listed yet, or there is nothing more in it.
        if (directory.steps === undefined || directory.parent === undefined) return undefined;
        Object.assign(place, { directory: directory.parent, index: directory.index + 1 });
      } else if (step.fileSize === undefined) {
        const child = directory.children.get(index);
        if (child === undefined && !step.isAsked) return undefined;
        Object.assign(place, child ? { directory: child, index: 0 } : { index: index + 1 });
      } else if (step.isAsked || !(step.isRead || directory.surpriseCount >= SURPRISES_MAX)) {
        place.index++;
      } else {
        return { step, size: step.fileSize, directory, path: directory.pathOf(step.name) };
      }
    }
  }

  #drop(path: string): void {
    const asked = this.#files.get(path);
    if (asked === undefined) return;
    this.#files.delete(path);
    this.#contentCost -= asked.cost;
    asked.stream.cancel();
  }

  /** Takes a directory and all in it out of the plan. */
  #forget(directory: PlannedDirectory): void {
    this.#directories.delete(directory.path);
    if (!directory.isTaken) {
      this.#aheadCount--;
      this.#listingBytes -= directory.heldBytes;
      directory.take();
      directory.demanded.resolve();
    }
    for (const child of directory.children.values()) this.#forget(child);
    directory.parent?.children.delete(directory.index);
  }
}

/** Whether a directory is another one or below it. */
function isWithin(directory: PlannedDirectory, other: PlannedDirectory): boolean {
  for (let at: PlannedDirectory | undefined = directory; at !== undefined; at = at.parent) {
    if (at === other) return true;
  }
  return false;
}

/** Bytes that a file takes in an answer, about. */
function costOf({ path, entry, heldBytes }: ContentStream): number {
  const xattrs = entry?.metadata.xattrs ?? [];
  const attributes = xattrs.reduce((sum, { value }) => sum + 2 * NAME_SIZE_MAX + value.length, 0);
  return FILE_COST + 3 * path.length + attributes + heldBytes;
}
