/**
 * What a client says, held against what can be: whoever has broken into it may let it say anything.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { encodeFileName } from "#src/bytes/file_name.ts";
import { ERRNO_MAX, Failure, LimitError, OsError, ProtocolError, StateError } from "#src/errors.ts";
import { CONTENT_SIZE_PLAUSIBLE_MAX, TARGET_SIZE_MAX } from "#src/pxar/format/limits.ts";
import { isStoredXattr, type Metadata, NANOSECONDS_MAX } from "#src/tree/metadata.ts";
import { type Acl, NO_ACL } from "#src/bytes/acl.ts";
import { ENTRY_SIZE_MAX } from "./entry_record.ts";
import {
  type ClientCapabilities,
  type ClientEntry,
  type ClientPage,
  type ClientProvider,
  type ContentPiece,
  PAGE_ENTRIES_MAX,
  pieceSize,
} from "./provider.ts";

/** Bytes of a file name on Linux. */
const NAME_SIZE_MAX = 255;
/** Bytes of a value of an xattr on Linux. */
const XATTR_SIZE_MAX = 65_536;
const XATTR_COUNT_MAX = 4096;
const ACL_COUNT_MAX = 4096;
const PROBLEM_COUNT_MAX = 1024;
const ID_MAX = 0xffff_ffff;
/** Bytes that are handed over at a time. */
const PIECE_SIZE_MAX = 64 << 20;
/** Pages or pieces in a row that say nothing. */
const EMPTY_COUNT_MAX = 1000;
/** Looks at whether something has come, within the time that nothing may. */
const LOOK_COUNT = 4;

const TYPES: ReadonlySet<number> = new Set([
  EntryType.FIFO,
  EntryType.CHARACTER_DEVICE,
  EntryType.DIRECTORY,
  EntryType.BLOCK_DEVICE,
  EntryType.FILE,
  EntryType.SYMLINK,
  EntryType.SOCKET,
]);

/** A file that was opened. */
export interface CheckedFile {
  readonly entry: ClientEntry | undefined;
  readonly content: AsyncGenerator<ContentPiece>;
  readonly givesAway: boolean;
}

/** A client whose every answer is checked, and which may not be silent for long. */
export class CheckedProvider {
  readonly #provider: ClientProvider;
  readonly #entriesMax: number;
  readonly #silenceMaxMs: number;
  readonly #abort = new AbortController();
  readonly #waiting = new Set<(error: Error) => void>();
  readonly #timer: ReturnType<typeof setInterval>;
  #hasHeard = false;
  #silentLooks = 0;

  /**
   * @param entriesMax of one directory
   * @param silenceMaxMs after so long without any answer, though one is waited for, all calls fail
   */
  constructor(provider: ClientProvider, entriesMax: number, silenceMaxMs: number) {
    this.#provider = provider;
    this.#entriesMax = entriesMax;
    this.#silenceMaxMs = silenceMaxMs;
    this.#timer = setInterval(() => this.#look(), silenceMaxMs / LOOK_COUNT);
  }

  /** See {@link ClientProvider.capabilities}; undefined: all that there is. */
  async capabilities(): Promise<ClientCapabilities | undefined> {
    const { signal } = this.#abort;
    const said = this.#provider.capabilities?.(signal);
    if (said === undefined) return undefined;
    const capabilities = await this.#await(() => said);
    sensible(() => {
      const { mtimePrecisionNs, uid = 0, gid = 0 } = capabilities;
      checkNumber(mtimePrecisionNs, "precision of times", 1e12);
      checkNumber(uid, "owner", ID_MAX);
      checkNumber(gid, "group", ID_MAX);
    });
    return capabilities;
  }

  /** See {@link ClientProvider.stat}. */
  async stat(path: string): Promise<ClientEntry> {
    const entry = await this.#await(() => this.#provider.stat(path, this.#abort.signal));
    sensible(() => checkEntry(entry));
    return entry;
  }

  /** See {@link ClientProvider.readDirectory}. */
  readDirectory(path: string): AsyncGenerator<ClientPage> {
    let count = 0;
    let emptyCount = 0;
    const pages = this.#provider.readDirectory(path, this.#abort.signal);
    return this.#items(pages, (page) => {
      const pageCount = checkPage(page);
      if (pageCount === 0 && ++emptyCount > EMPTY_COUNT_MAX) throw lie("lists nothing for ever");
      count += pageCount;
      if (count <= this.#entriesMax) return true;
      throw new LimitError(
        `Exceeded allowed number of file entries (> ${this.#entriesMax}) in "${path}"`,
        { hint: "Allow more", option: "entriesMax" },
      );
    });
  }

  /** See {@link ClientProvider.readFile}; reads to the end. */
  async readFile(path: string, offsetBytes: number): Promise<CheckedFile> {
    const range = { offsetBytes, lengthBytes: "all" } as const;
    const file = await this.#await(() => this.#provider.readFile(path, range, this.#abort.signal));
    return sensible(() => {
      const { entry, content, givesAway = false } = file;
      const checked = { entry, content: this.#pieces(content), givesAway };
      if (entry === undefined) return checked;
      checkEntry(entry);
      if (entryType(entry.metadata.mode) !== EntryType.FILE) throw lie("opens what is no file");
      return checked;
    });
  }

  /** Ends the connection, and with an error all that waits for an answer. */
  async close(error: Error): Promise<void> {
    clearInterval(this.#timer);
    this.#fail(error);
    // All that was wanted is there, or it is known why not: this must not hide it.
    await Promise.try(() => this.#provider.close()).catch(() => {});
  }

  #pieces(content: AsyncIterable<ContentPiece>): AsyncGenerator<ContentPiece> {
    let emptyCount = 0;
    return this.#items(content, (piece) => {
      if (checkPiece(piece) > 0) return true;
      if (++emptyCount > EMPTY_COUNT_MAX) throw lie("sends nothing for ever");
      return false;
    });
  }

  /**
   * The items one by one; the client's iteration is ended with this one.
   *
   * @param isWanted checks an item
   */
  async *#items<Item>(
    items: AsyncIterable<Item>,
    isWanted: (item: Item) => boolean,
  ): AsyncGenerator<Item> {
    const iterator = sensible(() => items[Symbol.asyncIterator]());
    let isOver = false;
    try {
      while (true) {
        const { done, value } = await this.#await(() => iterator.next());
        if (done === true) {
          isOver = true;
          return;
        }
        if (sensible(() => isWanted(value))) yield value;
      }
    } catch (error) {
      isOver = true;
      throw error;
    } finally {
      // Whether it ends is nobody's concern any more.
      if (!isOver) Promise.try(() => iterator.return?.()).catch(() => {});
    }
  }

  /** Waits for an answer. @throws {Error} what the client throws, or that it is silent */
  #await<Result>(ask: () => Promise<Result>): Promise<Result> {
    const { signal } = this.#abort;
    if (signal.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.#waiting.add(reject);
    const settle = () => {
      this.#waiting.delete(reject);
      this.#hasHeard = true;
    };
    Promise.try(ask).then(
      (result) => {
        settle();
        resolve(result);
      },
      (error) => {
        settle();
        reject(failureOf(error));
      },
    );
    return promise;
  }

  /** Counts looks and reads no clock: one goes on while the process is stopped. */
  #look(): void {
    this.#silentLooks = this.#hasHeard || this.#waiting.size === 0 ? 0 : this.#silentLooks + 1;
    this.#hasHeard = false;
    if (this.#silentLooks < LOOK_COUNT) return;
    const seconds = Math.round(this.#silenceMaxMs / 1000);
    this.#fail(
      new StateError("timeout", `The client has not answered for ${seconds} seconds`),
    );
  }

  #fail(error: Error): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort(error);
    for (const reject of this.#waiting) reject(error);
    this.#waiting.clear();
  }
}

/** An error as the house has them: what a transport of somebody else's throws may be anything. */
function failureOf(error: unknown): Error {
  if (error instanceof OsError) return isErrno(error.errno) ? error : lie("fails without a reason");
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ProtocolError(`Cannot go on: the client failed: ${message}`, {
    code: "client-failed",
    cause: error,
    isTemporary: true,
  });
}

function lie(what: string): ProtocolError {
  return new ProtocolError(`Cannot trust the client: it ${what}`, { code: "bad-client" });
}

/** What `check` gives; what it stumbles over, as what is not there, is no answer. */
function sensible<Result>(check: () => Result): Result {
  try {
    return check();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) throw lie("makes no sense");
    throw error;
  }
}

/** @returns how many entries there are */
function checkPage({ entries, failures, self }: ClientPage): number {
  const count = entries.length + failures.length;
  checkNumber(count, "number of entries", PAGE_ENTRIES_MAX);
  if (self !== undefined) {
    checkEntry(self.entry);
    if (entryType(self.entry.metadata.mode) !== EntryType.DIRECTORY) {
      throw lie("lists what is no directory");
    }
  }
  for (const entry of entries) {
    checkName(entry.name);
    checkEntry(entry);
  }
  for (const { name, errno } of failures) {
    checkName(name);
    checkErrno(errno);
  }
  return count;
}

/** @returns its size in bytes */
function checkPiece(piece: ContentPiece): number {
  const isHole = !(piece instanceof Uint8Array);
  const size = pieceSize(piece);
  checkNumber(size, "size of a piece", isHole ? CONTENT_SIZE_PLAUSIBLE_MAX : PIECE_SIZE_MAX);
  return size;
}

function checkNumber(value: number, what: string, max = Number.MAX_SAFE_INTEGER, min = 0): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw lie(`says that the ${what} is ${value}`);
}

function isErrno(errno: number): boolean {
  return Number.isSafeInteger(errno) && errno > 0 && errno <= ERRNO_MAX;
}

function checkErrno(errno: number): void {
  if (!isErrno(errno)) throw lie(`says that the error number is ${errno}`);
}

function checkName(name: string): void {
  const isName = name !== "" && name !== "." && name !== ".." && !/[/\0]/u.test(name) &&
    name.length <= NAME_SIZE_MAX && encodeFileName(name).length <= NAME_SIZE_MAX;
  if (!isName) throw lie(`lists ${JSON.stringify(name.slice(0, NAME_SIZE_MAX))} as a name`);
}

function checkEntry(entry: ClientEntry): void {
  const { metadata, target, openErrno, ctimeSeconds, problems } = entry;
  checkNumber(entry.linkCount, "number of links", 2 ** 32);
  // Larger than a number can be exactly, on some file systems: rounded it tells nearly as much.
  if (!(entry.ino >= 0 && entry.ino < 2 ** 65)) throw lie(`says that the inode is ${entry.ino}`);
  checkNumber(entry.device, "device");
  checkNumber(entry.sizeBytes, "size", CONTENT_SIZE_PLAUSIBLE_MAX);
  checkNumber(entry.blocks, "number of blocks");
  checkNumber(entry.rdev, "device number", 2 ** 32 - 1);
  if (ctimeSeconds !== undefined) checkNumber(ctimeSeconds, "time", undefined, -(2 ** 53) + 1);
  checkMetadata(metadata);
  const type = entryType(metadata.mode);
  if (!TYPES.has(type)) throw lie(`says that the mode is ${metadata.mode}`);
  if ((target === undefined) !== (type !== EntryType.SYMLINK)) throw lie("mixes up links");
  if (target !== undefined) {
    const { length } = encodeFileName(target.slice(0, TARGET_SIZE_MAX + 1));
    if (length === 0 || length > TARGET_SIZE_MAX || target.includes("\0")) {
      throw lie("says that a link leads nowhere");
    }
  }
  if (openErrno !== undefined) checkErrno(openErrno);
  if (problems.length > PROBLEM_COUNT_MAX) throw lie("has too many problems with an entry");
}

function checkMetadata({ mode, flags, uid, gid, mtime, xattrs, acl, fcaps, projectId }: Metadata) {
  checkNumber(mode, "mode", 0xffff);
  checkNumber(uid, "owner", ID_MAX);
  checkNumber(gid, "group", ID_MAX);
  checkNumber(mtime.seconds, "time", undefined, -(2 ** 53) + 1);
  checkNumber(mtime.nanoseconds, "time", NANOSECONDS_MAX);
  const isWord = (value: bigint) => value >= 0n && value < 1n << 64n;
  if (!isWord(flags) || !isWord(projectId)) throw lie("has attributes that there are none of");
  if (fcaps !== undefined && fcaps.length > XATTR_SIZE_MAX) throw lie("has too many capabilities");
  if (xattrs.length > XATTR_COUNT_MAX) throw lie("has too many extended attributes");
  let size = 0;
  for (const { name, value } of xattrs) {
    const isName = isStoredXattr(name) && !name.includes("\0") && name.length <= NAME_SIZE_MAX &&
      encodeFileName(name).length <= NAME_SIZE_MAX;
    if (!isName) throw lie(`names an attribute ${JSON.stringify(name.slice(0, NAME_SIZE_MAX))}`);
    size += name.length + value.length;
    if (value.length > XATTR_SIZE_MAX || size > ENTRY_SIZE_MAX) {
      throw lie("has too large extended attributes");
    }
  }
  checkAcl(acl);
}

function checkAcl(acl: Acl): void {
  if (acl === NO_ACL) return;
  const { users, groups, groupObject, default: inherited, ...named } = acl;
  const isMode = (value: bigint | undefined) => value === undefined || (value >= 0n && value <= 7n);
  const lists = [users, groups, named.defaultUsers, named.defaultGroups];
  const areGood = lists.every((list) =>
    list.length <= ACL_COUNT_MAX &&
    list.every(({ id, permissions }) => id >= 0n && id <= BigInt(ID_MAX) && isMode(permissions))
  );
  const { userObject, groupObject: group, other, mask } = inherited ?? {};
  if (areGood && [groupObject, userObject, group, other, mask].every(isMode)) return;
  throw lie("has an ACL that is none");
}
