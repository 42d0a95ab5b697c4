/**
 * Directories of a client as what archives are made of. Every call waits for the thread with the
 * client; most are answered from what that thread has sent already.
 *
 * @module
 */

import { NO_ACL } from "#src/bytes/acl.ts";
import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { OsError } from "#src/errors.ts";
import { Errno, type HostStat } from "#ffi/libc/calls.ts";
import type { BuildReportBuilder } from "#src/pxar/builder/report.ts";
import type {
  BuildSource,
  BuildSourceOptions,
  DataExtent,
  MakeBuildSource,
  SourceDirectory,
  SourceFile,
} from "#src/pxar/builder/source.ts";
import type { Mailbox } from "#src/threads/mailbox/mailbox.ts";
import { childPath } from "#src/tree/paths.ts";
import type { Metadata, MetadataField } from "#src/tree/metadata.ts";
import type {
  ClientCall,
  ContentPart,
  ExpectedWalk,
  ListAnswer,
  RootAnswer,
} from "./client_calls.ts";
import { ClientContent } from "./client_content.ts";
import { ClientListing, NO_LISTING } from "./client_listing.ts";
import { decodeEntry } from "./entry_record.ts";
import { HeldContents } from "./held_contents.ts";
import type { ClientEntry } from "./provider.ts";

/** The thread that backs up, as it asks the one with the client. */
export interface ClientLink {
  readonly mailbox: Mailbox;
  /** The longest wait for an answer; longer than a client may be silent. */
  readonly timeoutMs: number;
  /** Is asked several times a second, and throws to end a wait. */
  readonly throwIfStopped: () => void;
}

/** What is known of a walk besides what the walk itself says. */
export type ClientWalk = Omit<ExpectedWalk, "root" | "readsSinceSeconds">;

/** Makes sources of a client's directories. Each walk has one of its own. */
export function clientSource(link: ClientLink, walk: ClientWalk): MakeBuildSource {
  const contents = new HeldContents();
  return (options, report) => new ClientSource(link, walk, contents, options, report);
}

class ClientSource implements BuildSource {
  uid = 0;
  gid = 0;
  readonly options: BuildSourceOptions;
  readonly report: BuildReportBuilder;
  readonly #link: ClientLink;
  readonly #walk: ClientWalk;
  readonly #contents: HeldContents;
  #hasRoot = false;

  constructor(
    link: ClientLink,
    walk: ClientWalk,
    contents: HeldContents,
    options: BuildSourceOptions,
    report: BuildReportBuilder,
  ) {
    this.#link = link;
    this.#walk = walk;
    this.#contents = contents;
    this.options = options;
    this.report = report;
  }

  /** The first one is that of the walk; of others only the attributes are wanted. */
  openRoot(path: string, stat: HostStat): SourceDirectory | number {
    try {
      const entry = this.#hasRoot ? this.ask({ call: "stat", path }) : this.#open(path);
      const type = entryType(entry.metadata.mode);
      if (type === EntryType.SYMLINK) return -Errno.ELOOP;
      if (type !== EntryType.DIRECTORY) return -Errno.ENOTDIR;
      if (entry.openErrno !== undefined) return -entry.openErrno;
      fillStat(stat, entry);
      return new ClientDirectory(this, path, entry);
    } catch (error) {
      if (error instanceof OsError) return -error.errno;
      throw error;
    }
  }

  /** Asks, and waits. */
  call(request: ClientCall, take?: (bytes: Uint8Array<ArrayBuffer>) => void): unknown {
    const { mailbox, timeoutMs, throwIfStopped } = this.#link;
    return mailbox.call(request, {
      timeoutMs,
      throwIfStopped,
      // Bytes of the mailbox are others after the call.
      ...(take && { take: (part) => take(new Uint8Array(part)) }),
    });
  }

  /** The content of a file from an offset on, and of files that follow. */
  read(path: string, offset: number): readonly ContentPart[] {
    const { mailbox, timeoutMs, throwIfStopped } = this.#link;
    const request: ClientCall = { call: "read", path, offset };
    return this.#contents.replace(mailbox.hold(request, { timeoutMs, throwIfStopped }));
  }

  /** Asks for an entry, and waits. @throws {OsError} */
  ask(request: ClientCall): ClientEntry {
    let entry: ClientEntry | undefined;
    this.call(request, (bytes) => entry = decodeEntry(bytes));
    return entry!;
  }

  /** Says something, and goes on. */
  tell(request: ClientCall): void {
    if (!this.#link.mailbox.post(request)) this.call(request);
  }

  #open(path: string): ClientEntry {
    const readsSinceSeconds = this.options.readsSinceSeconds;
    let entry: ClientEntry | undefined;
    const walk = { ...this.#walk, root: path, readsSinceSeconds };
    const answer = this.call({ call: "open", walk }, (bytes) => entry = decodeEntry(bytes));
    this.#hasRoot = true;
    const { uid, gid, unknownFields } = answer as RootAnswer;
    this.uid = uid;
    this.gid = gid;
    this.#reportUnknown(unknownFields as MetadataField[]);
    return entry!;
  }

  /** That an entry has no attributes, and that nobody can tell, are not the same. */
  #reportUnknown(fields: readonly MetadataField[]): void {
    const { xattrs, acls, fcaps } = this.options;
    const isWanted = (field: MetadataField) =>
      field === "xattrs" ? xattrs : field === "acl" ? acls : field === "fcaps" ? fcaps : true;
    const missing = fields.filter(isWanted);
    if (missing.length === 0) return;
    this.report.add(
      "attribute",
      "/",
      `The client cannot tell ${missing.join(", ")}: the archive is without`,
    );
  }
}

class ClientDirectory implements SourceDirectory {
  readonly #source: ClientSource;
  readonly #path: string;
  readonly #entry: ClientEntry;
  #listing: ClientListing | undefined;
  /** Contents that have come with those of others. */
  readonly #parts = new Map<string, ContentPart>();

  constructor(source: ClientSource, path: string, entry: ClientEntry) {
    this.#source = source;
    this.#path = path;
    this.#entry = entry;
  }

  list(take: (name: string, type: number) => void): number {
    const listing = this.#load();
    listing.forEach(take);
    return -(listing.errno ?? 0);
  }

  stat(name: string, stat: HostStat): number {
    const entry = this.#load().find(name);
    if (typeof entry === "number") return entry;
    fillStat(stat, entry);
    return 0;
  }

  openFile(name: string, stat: HostStat): SourceFile | number {
    const listing = this.#load();
    const listed = listing.find(name);
    if (typeof listed === "number") return listed;
    const type = entryType(listed.metadata.mode);
    if (type === EntryType.SYMLINK) return -Errno.ELOOP;
    if (type !== EntryType.FILE) return -Errno.ENXIO;
    if (listed.openErrno !== undefined) return -listed.openErrno;
    const path = childPath(this.#path, name);
    const part = listing.contentOf(path) ??
      (listing.isExpected(name) ? this.#part(path, 0) : undefined);
    return this.#openFile(path, stat, part, listed);
  }

  openFileBelow(relativePath: string, stat: HostStat): SourceFile | number {
    const path = childPath(this.#path, relativePath);
    const part = this.#part(path, 0);
    return this.#openFile(path, stat, part, part.entry);
  }

  openDirectory(name: string, stat: HostStat): SourceDirectory | number {
    const entry = this.#load().find(name);
    if (typeof entry === "number") return entry;
    const type = entryType(entry.metadata.mode);
    if (type === EntryType.SYMLINK) return -Errno.ELOOP;
    if (type !== EntryType.DIRECTORY) return -Errno.ENOTDIR;
    if (entry.openErrno !== undefined) return -entry.openErrno;
    fillStat(stat, entry);
    return new ClientDirectory(this.#source, childPath(this.#path, name), entry);
  }

  readLink(name: string): string | number {
    const entry = this.#load().find(name);
    return typeof entry === "number" ? entry : entry.target ?? -Errno.EINVAL;
  }

  metadata(_stat: HostStat, path: string): Metadata {
    return metadataOf(this.#entry, path, this.#source);
  }

  isPseudo(): boolean {
    return this.#load().isPseudo;
  }

  close(): void {
    if (this.#listing !== undefined) this.#source.tell({ call: "leave", path: this.#path });
    this.#listing = NO_LISTING;
    for (const { pieces } of this.#parts.values()) pieces.length = 0;
    this.#parts.clear();
  }

  #load(): ClientListing {
    if (this.#listing !== undefined) return this.#listing;
    const records: Uint8Array<ArrayBuffer>[] = [];
    const answer = this.#source.call(
      { call: "list", path: this.#path },
      (bytes) => records.push(bytes),
    );
    return this.#listing = new ClientListing(records, answer as ListAnswer);
  }

  #openFile(
    path: string,
    stat: HostStat,
    part: ContentPart | undefined,
    listed: ClientEntry | undefined,
  ): SourceFile | number {
    if (part?.errno !== undefined && part.pieces.length === 0 && part.entry === undefined) {
      return -part.errno;
    }
    const entry = part?.entry ?? listed ?? this.#stat(path);
    if (typeof entry === "number") return entry;
    fillStat(stat, entry);
    let isAsked = part !== undefined;
    const content = new ClientContent((offset) => {
      isAsked = true;
      return this.#part(path, offset);
    }, part);
    return {
      metadata: (_stat, at) => metadataOf(entry, at, this.#source),
      read: (target, offset) => content.read(target, offset),
      findData: (offset: number, extent: DataExtent) => content.findData(offset, extent),
      close: () => {
        content.drop();
        if (isAsked && !content.isEnd) this.#source.tell({ call: "close", path });
      },
    };
  }

  #stat(path: string): ClientEntry | number {
    try {
      const entry = this.#source.ask({ call: "stat", path });
      return entryType(entry.metadata.mode) === EntryType.FILE ? entry : -Errno.ENXIO;
    } catch (error) {
      if (error instanceof OsError) return -error.errno;
      throw error;
    }
  }

  /** The content of a file from an offset on. */
  #part(path: string, offset: number): ContentPart {
    const held = this.#parts.get(path);
    if (held !== undefined) {
      this.#parts.delete(path);
      if (held.offset === offset) return held;
    }
    const [wanted, ...following] = this.#source.read(path, offset);
    for (const part of following) this.#parts.set(part.path, part);
    return wanted!;
  }
}

/** An entry's attributes as stat(2) has them. */
function fillStat(stat: HostStat, entry: ClientEntry): void {
  const { metadata: { mode, uid, gid, mtime }, ctimeSeconds } = entry;
  Object.assign(stat, {
    mode,
    uid,
    gid,
    nlink: entry.linkCount,
    ino: entry.ino,
    size: entry.sizeBytes,
    blocks: entry.blocks,
    rdev: entry.rdev,
    device: entry.device,
    mtimeSeconds: mtime.seconds,
    mtimeNanoseconds: mtime.nanoseconds,
    ctimeSeconds: ctimeSeconds ?? mtime.seconds,
  });
}

/** The attributes that are asked for; those that could not be read are reported. */
function metadataOf(
  { metadata, problems }: ClientEntry,
  path: string,
  { options, report }: ClientSource,
): Metadata {
  const { xattrs, acls, fcaps, skipsLargeXattrs } = options;
  for (const { message, isTooLarge } of problems) {
    if (isTooLarge && !xattrs) continue;
    if (isTooLarge && !skipsLargeXattrs) {
      throw new OsError(Errno.E2BIG, "read extended attributes", path, {
        hint: "Leave such attributes out",
        option: "skipsLargeXattrs",
      });
    }
    report.add("attribute", path, isTooLarge ? `${message}, left out` : message);
  }
  if (xattrs && acls && fcaps) return metadata;
  return {
    ...metadata,
    xattrs: xattrs ? metadata.xattrs : [],
    acl: xattrs && acls ? metadata.acl : NO_ACL,
    fcaps: xattrs && fcaps ? metadata.fcaps : undefined,
  };
}
