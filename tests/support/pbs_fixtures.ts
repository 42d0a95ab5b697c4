/**
 * The golden datastore, unpacked. That of the shared material is used where it is there, else the
 * committed one, which has all files of all snapshots but only the chunks of up to 64 KiB.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { zstdDecompressSync } from "node:zlib";
import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import type { ChunkIndex } from "#src/pbs/format/chunk_index.ts";
import { DynamicIndex } from "#src/pbs/format/dynamic_index.ts";
import { FixedIndex } from "#src/pbs/format/fixed_index.ts";
import { parseKeyFile } from "#src/pbs/format/key_file.ts";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));

/** Directories with `datastore.tar.zst`, the most complete one first. */
const DIRECTORIES = [
  join(CHECKOUT, "../shared/fixtures/pbs"),
  join(CHECKOUT, "tests/fixtures/pbs"),
];
const DIRECTORY = DIRECTORIES.find((path) => isPresent(join(path, "datastore.tar.zst")))!;

/**
 * Key files `key-none.json`, `key-pbkdf2.json`, `key-scrypt.json`, and the pair
 * `master-private.pem`, `master-public.pem`.
 */
export const PBS_KEYS: string = join(DIRECTORY, "keys");
/** Opens the key files. */
export const KEY_PASSPHRASE = "goldkey-pass";
/** Opens `master-private.pem`. */
export const MASTER_PASSPHRASE = "master-pass";
/** Whether all chunks are there. */
export const HAS_ALL_CHUNKS: boolean = DIRECTORY === DIRECTORIES[0];
/** Runs the checker: the modules that it needs are packages of the distribution. */
export const CHECKER_PYTHON = "/usr/bin/python3";
/** The independent checker, where the shared material is there. */
export const CHECK_DATASTORE: string | undefined = [
  join(CHECKOUT, "../shared/tools/check_datastore.py"),
].find(isPresent);

/** An entry of a backed up tree. `path` is absolute, `/` for the root itself. */
export interface ExpectedTreeEntry {
  readonly path?: string;
  /** Where the path is not UTF-8. */
  readonly path_b64?: string;
  /** `dir`, `file`, `symlink`, `char`, `block`, `fifo` or `socket`. */
  readonly type: string;
  /** Octal. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: { readonly secs: number; readonly nanos: number };
  readonly size?: number;
  readonly sha256?: string;
  /** Of the entries in {@link ExpectedArchive.plus}. */
  readonly contents?: string;
  readonly nlink?: number;
  /** First of the names of the same file. */
  readonly hardlink_group?: string;
  readonly target?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly xattrs_b64?: Readonly<Record<string, string>>;
}

/** What a `.pxar` archive holds: a tree, without and plus some paths. */
export interface ExpectedArchive {
  readonly tree: string;
  readonly without?: readonly string[];
  readonly plus?: readonly ExpectedTreeEntry[];
}

/** A golden snapshot. */
export interface ExpectedSnapshot {
  readonly ns: string;
  /** `host/alpha/2024-01-10T10:00:00Z`. */
  readonly snapshot: string;
  readonly "crypt-mode": "none" | "encrypt" | "sign-only";
  /** Path of the key file, `keys/key-scrypt.json`; see {@link goldenKey}. */
  readonly key: string | null;
  /** By name of the index; `root.mpxar.didx+root.ppxar.didx` for a split archive. */
  readonly pxar: Readonly<Record<string, ExpectedArchive>>;
  /** By name of the file; sizes and digests of the plain contents. */
  readonly blobs: Readonly<Record<string, { readonly size: number; readonly sha256: string }>>;
  readonly images: Readonly<Record<string, { readonly size: number; readonly sha256: string }>>;
  readonly notes?: string;
  readonly protected?: boolean;
}

/** What is known of the golden datastore. */
export interface ExpectedDatastore {
  readonly owner: string;
  readonly snapshots: readonly ExpectedSnapshot[];
  readonly trees: Readonly<Record<string, readonly ExpectedTreeEntry[]>>;
}

/** What the snapshots and trees have to be. */
export function expectedDatastore(): ExpectedDatastore {
  const plain = join(DIRECTORY, "expected.json");
  const text = isPresent(plain)
    ? Deno.readTextFileSync(plain)
    : new TextDecoder().decode(zstdDecompressSync(Deno.readFileSync(`${plain}.zst`)));
  return JSON.parse(text);
}

let unpacked: string | undefined;

/**
 * Path of the unpacked datastore. Read-only by convention: copy what is to be changed. Needs
 * `--allow-run=tar` when it is not unpacked yet.
 */
export function goldenDatastore(): string {
  unpacked ??= unpackOnce();
  return unpacked;
}

/** Directory of a golden snapshot. */
export function snapshotPath({ ns, snapshot }: ExpectedSnapshot): string {
  const parents = ns === "" ? [] : ns.split("/").flatMap((name) => ["ns", name]);
  return join(goldenDatastore(), ...parents, snapshot);
}

/** Path of a chunk of the golden datastore, whether it is there or not. */
export function chunkPath(digest: ChunkDigest): string {
  return join(goldenDatastore(), ".chunks", digest.slice(0, 4), digest);
}

/** An index file, parsed. */
export function readIndex(path: string): ChunkIndex {
  const bytes = Deno.readFileSync(path);
  return path.endsWith(".fidx") ? FixedIndex.parse(bytes) : DynamicIndex.parse(bytes);
}

/** Whether a chunk is there. */
export function hasChunk(digest: ChunkDigest): boolean {
  return isPresent(chunkPath(digest));
}

/** Whether all chunks of an index are there. */
export function hasChunks(index: ChunkIndex): boolean {
  return Array.from({ length: index.count }, (_, position) => index.digestOf(position))
    .every(hasChunk);
}

const configs = new Map<string, CryptConfig>();

/** The key that a snapshot names; undefined for null. */
export function goldenKey(name: string | null): CryptConfig | undefined {
  if (name === null) return undefined;
  let config = configs.get(name);
  if (config === undefined) {
    const file = parseKeyFile(Deno.readTextFileSync(join(DIRECTORY, name)));
    config = CryptConfig.fromKeyFile(file, new TextEncoder().encode(KEY_PASSPHRASE));
    configs.set(name, config);
  }
  return config;
}

function unpackOnce(): string {
  const archive = join(DIRECTORY, "datastore.tar.zst");
  const { size, mtime } = Deno.statSync(archive);
  const cache = join(Deno.env.get("TMPDIR") ?? "/tmp", "pbkfs-fixtures");
  const directory = join(cache, `pbs-${size}-${mtime?.getTime() ?? 0}`);
  if (isPresent(directory)) return directory;
  Deno.mkdirSync(cache, { recursive: true });
  const partial = Deno.makeTempDirSync({ dir: cache, prefix: "unpacking-" });
  const { success } = new Deno.Command("tar", {
    args: ["--zstd", "-C", partial, "-xf", archive],
    stdout: "null",
    stderr: "inherit",
  }).outputSync();
  if (!success) throw new Error(`Cannot unpack "${archive}"`);
  try {
    Deno.renameSync(partial, directory);
  } catch (error) {
    // Another test process was faster.
    if (!isPresent(directory)) throw error;
    Deno.removeSync(partial, { recursive: true });
  }
  return directory;
}

function isPresent(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
