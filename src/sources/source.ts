/**
 * A source: one backup, archive, image or blob, wherever it lies and of whatever kind. It is opened
 * once, says what it is, and is read in any thread of the process.
 *
 * Opening has two steps, since a mount is served by several threads that share no objects.
 * {@link Source.description} is plain values, and memory that all threads share; `attachSource()`
 * (`registry.ts`) makes a tree of them in the thread that is to read. Nothing is ever written where
 * the backup lies, except for the lock that a format demands of its readers.
 *
 * @module
 */

import type { WaitGate } from "#src/io/wait_gate.ts";
import type { SourceMark } from "#src/overlay/binding.ts";
import type { ServerConnection } from "#src/pbs/client/open_server.ts";
import type { ServerRepository } from "#src/pbs/client/repository.ts";
import type { ServerLogin } from "#src/pbs/client/server_login.ts";
import type { SpawnThread } from "#src/threads/thread.ts";
import type { MountableTree } from "#src/tree/node.ts";
import type { SourceKindName } from "./name.ts";
import type { ArchiveInput } from "./pxar/archive_input.ts";

/** A directory tree, or one file: that of an image, or any other. */
export type SourceContent = "tree" | "image" | "blob";

/**
 * An open source as plain values and shared memory, which can be posted to threads of the same
 * process. It is good as long as the {@link Source} is open. Each kind adds what it needs.
 */
export interface SourceDescription {
  /** Its kind. */
  readonly kind: SourceKindName;
  /** As `formatSourceName()` writes it: without links, and with nothing left to be chosen. */
  readonly name: string;
  /** A short name for people, such as `main/TOTXQL`. */
  readonly label: string;
  /** What its tree is. */
  readonly content: SourceContent;
  /**
   * Space that it takes where it is stored, in bytes; null where that takes a walk through all of
   * it.
   */
  readonly sizeBytes: number | null;
  /** Files have POSIX ACLs, or nobody has looked. */
  readonly mayHaveAcls: boolean;
}

/** What a tree is told of the thread that it is opened in. */
export interface SourceThread {
  /** From 0 on; each thread that attaches has its own. */
  readonly index: number;
  /** Is told of every wait for the source. */
  readonly gate: WaitGate;
  /** Starts threads that load what will be read next; undefined: none. */
  readonly spawn: SpawnThread | undefined;
}

/** What is known of the server whose data directory a source shows. */
export interface PostgresFacts {
  /** Major version: `15`. */
  readonly version: string;
  /** Decimal; null where nothing tells. */
  readonly systemIdentifier: string | null;
  /** Pages of its data files have checksums. */
  readonly checksums: boolean;
  /** The timeline of the backup. */
  readonly timeline: number;
}

/** A source as the same JSON for all kinds. */
export interface SourceSummary {
  /** Its kind. */
  readonly kind: SourceKindName;
  /** See {@link SourceDescription.name}. */
  readonly name: string;
  /** What its tree is. */
  readonly content: SourceContent;
  /** The moment that it shows, ISO 8601 in UTC; null where nothing tells. */
  readonly time: string | null;
  /** See {@link SourceDescription.sizeBytes}. */
  readonly sizeBytes: number | null;
  /** Null where it is not known to be a data directory. */
  readonly postgres: PostgresFacts | null;
  /** Ids of the backups that it is put together from, oldest first; empty for what stands alone. */
  readonly chain: readonly string[];
  /** It can be mounted. */
  readonly mountable: boolean;
  /** Why it cannot, or what is wrong with it; null where nothing is known to be. */
  readonly why: string | null;
}

/** An open source. Disposing of it closes it, and ends locks that it holds. */
export interface Source extends Disposable {
  /** To be posted to other threads. */
  readonly description: SourceDescription;
  /** For people and programs. */
  readonly summary: SourceSummary;
  /**
   * What tells it from others, and from what it was: `fingerprint` and `ids` are the same as long
   * as the source shows the same. @throws {OsError}
   */
  identify(): Promise<SourceMark>;
  /**
   * Opens it for this thread. An image or a blob is a directory with one file. The caller closes
   * the tree before the source.
   *
   * @throws {FormatError | OsError}
   */
  openTree(): MountableTree;
  /**
   * The archive that the tree is of, for who reads it from the beginning to the end, which is
   * faster than to look up each entry, and meets all damage. Absent for what is no archive.
   */
  readonly archive?: ArchiveInput | undefined;
  /**
   * Ends what threads wait for that have attached, where that can last: what they read fails from
   * now on.
   */
  endWaits?(): void;
}

/** Where secrets come from that a source needs. */
export interface Credentials {
  /**
   * The 32 bytes of an encryption key; asked for only where something is encrypted.
   *
   * @param fingerprint of the key that is wanted
   * @returns undefined when there is none
   */
  encryptionKey(fingerprint: string): Promise<Uint8Array | undefined>;
  /**
   * How to log in to the server that a name names; asked for only where one does. Default: there is
   * no way.
   *
   * @returns undefined when there is none
   */
  serverLogin?(server: NamedServer): Promise<ServerLogin | undefined>;
  /**
   * The way to the server that a name names, for who logs in by himself; asked in place of
   * {@link Credentials.serverLogin}. The source ends it.
   */
  connectServer?(server: ServerRepository): Promise<ServerConnection>;
}

/** A server, and who logs in. */
export type NamedServer = Pick<ServerLogin, "host" | "port" | "authId">;

/** How a source is opened by its name. */
export interface OpenSourceOptions {
  /** Default: no secrets. */
  readonly credentials?: Credentials | undefined;
  /** Threads that will attach. Default: 1. */
  readonly threadCount?: number | undefined;
  /**
   * Find out how many names each file has, and whether any has an ACL, where that takes reading all
   * metadata once: a mount tells it, most other readers do not ask. Default: true.
   */
  readonly countsLinks?: boolean | undefined;
  /** Starts threads that load what this thread will read next. Default: none. */
  readonly spawn?: SpawnThread | undefined;
  /**
   * Name under which a server on this machine serves the same datastore, to take its locks too.
   * Default: what the server's own configuration says, if it can be read.
   */
  readonly serverStore?: string | undefined;
  /** Is told of locks of a datastore that cannot be taken. Default: nobody is. */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Open what is only marked as damaged. Default: false. */
  readonly force?: boolean | undefined;
  /** Hold the lock that pg_probackup's readers hold on a chain. Default: where it can be had. */
  readonly lock?: boolean | undefined;
}

/**
 * The summary of what is described, with what only its kind knows.
 *
 * @param facts default: of something that stands alone, can be mounted, and tells no time
 */
export function summaryOf(
  { kind, name, content, sizeBytes }: SourceDescription,
  postgres: PostgresFacts | null,
  facts: Partial<Pick<SourceSummary, "time" | "chain" | "mountable" | "why">> = {},
): SourceSummary {
  const alone = { time: null, chain: [], mountable: true, why: null };
  return { kind, name, content, sizeBytes, postgres, ...alone, ...facts };
}

/** The UTC time of Unix seconds, to the second. */
export function utcTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}
