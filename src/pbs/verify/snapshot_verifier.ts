/**
 * Verifies snapshots one after another.
 *
 * @module
 */

import { nativeCodecs } from "#src/codecs/codecs.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { AuthError, Failure, IntegrityError, LimitError, StateError } from "#src/errors.ts";
import { BlobCodec } from "../crypt/blob_codec.ts";
import { ChunkVerifier } from "./chunk_verifier.ts";
import { currentSeconds, isAheadOf } from "../clock.ts";
import type { CryptConfig } from "../crypt/crypt_config.ts";
import type { Datastore } from "../datastore.ts";
import {
  keyFingerprintOf,
  type Manifest,
  type ManifestFile,
  verifyStateOf,
  withVerifyState,
} from "../format/manifest.ts";
import { formatSnapshot, snapshotDirectory, type SnapshotId } from "../format/snapshot_path.ts";
import { parseUpid } from "../format/upid.ts";
import { isIndexName, scanIndex } from "../reading/index_scan.ts";
import { BLOB_FILE_SIZE_MAX } from "../snapshots/manifest_file.ts";
import { checkManifest } from "../crypt/manifest_signature.ts";
import { newTask, storeNameOf } from "../task.ts";
import {
  FAULTS_MAX,
  type VerifiedSnapshot,
  type VerifyFault,
  type VerifyOptions,
} from "./report.ts";

const SECONDS_PER_DAY = 86_400;

/** One run over a datastore. */
export class SnapshotVerifier {
  readonly #datastore: Datastore;
  readonly #options: VerifyOptions;
  readonly #crypts: readonly CryptConfig[];
  readonly #chunks: ChunkVerifier;
  readonly #codec = new BlobCodec(nativeCodecs());
  readonly #now: () => number;
  readonly #upid: string;
  /** Whether a snapshot was made with a given key. */
  isKeyUsed = false;

  constructor(datastore: Datastore, options: VerifyOptions) {
    this.#datastore = datastore;
    this.#options = options;
    this.#crypts = options.crypts ?? [];
    this.#now = options.now ?? currentSeconds;
    this.#upid = options.upid ?? newTask(
      "verificationjob",
      options.storeName ?? storeNameOf(datastore.path),
      options.authId ?? "root@pam",
      this.#now(),
    );
    this.#chunks = new ChunkVerifier({
      storage: datastore.storage,
      isRenaming: datastore.access === "write",
      crypts: this.#crypts,
      threads: options.threads,
      throwIfStopped: () => options.signal?.throwIfAborted(),
    });
  }

  /** Chunks read so far. */
  get chunkCounts(): ChunkVerifier["counts"] {
    return this.#chunks.counts;
  }

  /** Ends the threads. */
  close(): void {
    this.#chunks.close();
  }

  /** Verifies a snapshot, of which `done` of `total` have been verified, and saves the result. */
  verify(snapshot: SnapshotId, done: number, total: number): VerifiedSnapshot {
    this.#options.signal?.throwIfAborted();
    const faults = new Faults(snapshot, this.#options.onFault);
    const skipped = (reason: NonNullable<VerifiedSnapshot["reason"]>) => {
      if (reason === "locked") {
        this.#options.onWarning?.(`${formatSnapshot(snapshot)} is skipped: it is in use`);
      }
      return { snapshot, result: "skipped", reason, faults: [], faultCount: 0 } as const;
    };
    try {
      // Keeps it from being removed.
      const reader = this.#datastore.openSnapshot(snapshot, { isKeyOptional: true });
      try {
        if (this.#isVerified(reader.manifest)) return skipped("verified");
        this.#verifyFiles(snapshot, reader.manifest, faults, { done, total });
      } finally {
        reader.close();
      }
    } catch (error) {
      if (error instanceof StateError && error.code === "locked") return skipped("locked");
      if (error instanceof StateError && error.code === "not-found") return skipped("unfinished");
      if (!(error instanceof Failure)) throw error;
      // Without a manifest there is no place for the result.
      faults.add(undefined, error);
      return faults.result();
    }
    this.#save(snapshot, faults);
    return faults.result();
  }

  #verifyFiles(
    snapshot: SnapshotId,
    manifest: Manifest,
    faults: Faults,
    snapshots: { done: number; total: number },
  ): void {
    const crypt = this.#cryptOf(manifest, faults);
    for (const file of manifest.files) {
      const onProgress = (chunksDone: number, chunksTotal: number) => {
        const progress = { snapshot, file: file.filename, chunksDone, chunksTotal };
        this.#options.onProgress?.({ ...progress, ...snapshots });
      };
      onProgress(0, 0);
      faults.guard(file.filename, () => {
        this.#verifyFile(snapshot, file, crypt, faults, onProgress);
      });
    }
  }

  #isVerified(manifest: Manifest): boolean {
    const { ignoreVerified, outdatedAfterDays } = this.#options;
    const state = verifyStateOf(manifest);
    if (ignoreVerified !== true || state === undefined) return false;
    const startTime = startTimeOf(state.upid);
    if (startTime === undefined) return false;
    if (outdatedAfterDays === undefined) return true;
    const now = this.#now();
    // Dated by a clock that was wrong, it would count for years.
    if (isAheadOf(startTime, now)) return false;
    return Math.floor((now - startTime) / SECONDS_PER_DAY) <= outdatedAfterDays;
  }

  /**
   * The key that the snapshot was made with, if it was given and the manifest's signature is right.
   */
  #cryptOf(manifest: Manifest, faults: Faults): CryptConfig | undefined {
    const fingerprint = keyFingerprintOf(manifest);
    const isKeyed = manifest.files.some(({ cryptMode }) => cryptMode !== "none");
    // Whoever takes the signature away takes the name of the key away, too.
    const crypt = fingerprint === undefined && isKeyed
      ? this.#crypts[0]
      : this.#crypts.find((candidate) => candidate.fingerprint === fingerprint);
    if (crypt === undefined) return undefined;
    this.isKeyUsed = true;
    try {
      checkManifest(manifest, crypt);
      return crypt;
    } catch (error) {
      faults.add(undefined, error);
      return undefined;
    }
  }

  #verifyFile(
    snapshot: SnapshotId,
    file: ManifestFile,
    crypt: CryptConfig | undefined,
    faults: Faults,
    onProgress: (done: number, total: number) => void,
  ): void {
    const { files } = this.#datastore.storage;
    const name = `${snapshotDirectory(snapshot)}/${file.filename}`;
    const path = files.pathOf(name);
    if (!isIndexName(file.filename)) {
      this.#verifyBlob(name, file, crypt);
      return;
    }
    const { size, checksum } = scanIndex(files.open(name), path);
    checkAgainst(file, size, checksum, path);
    this.#chunks.verifyIndex({
      name,
      isEncrypted: file.cryptMode === "encrypt",
      crypt,
      onProgress,
      onFault: ({ message, error, renamedTo }) => {
        faults.add(file.filename, error, message, renamedTo);
      },
    });
  }

  #verifyBlob(name: string, file: ManifestFile, crypt: CryptConfig | undefined): void {
    const { files } = this.#datastore.storage;
    const path = files.pathOf(name);
    const bytes = readWhole(files.open(name), path, BLOB_FILE_SIZE_MAX);
    checkAgainst(file, bytes.length, sha256Of(bytes).toHex(), path);
    try {
      this.#codec.decodeBytes(bytes, { crypt });
    } catch (error) {
      // The CRC was right; there is no more to be known without the key.
      if (!(error instanceof AuthError)) throw error;
    }
  }

  #save(snapshot: SnapshotId, faults: Faults): void {
    if (this.#datastore.access !== "write") return;
    const state = faults.count === 0 ? "ok" : "failed";
    try {
      this.#datastore.changeManifest(
        snapshot,
        (manifest) => withVerifyState(manifest, { state, upid: this.#upid }),
      );
    } catch (error) {
      // The disk may be full, or the snapshot removed as soon as it was not locked any more. Others
      // are verified all the same.
      if (!(error instanceof Failure)) throw error;
      const name = formatSnapshot(snapshot);
      this.#options.onWarning?.(`The result of ${name} was not saved: ${error.message}`);
    }
  }
}

/** What is wrong with one snapshot. */
class Faults {
  readonly #snapshot: SnapshotId;
  readonly #onFault: ((fault: VerifyFault) => void) | undefined;
  readonly #faults: VerifyFault[] = [];
  count = 0;

  constructor(snapshot: SnapshotId, onFault: ((fault: VerifyFault) => void) | undefined) {
    this.#snapshot = snapshot;
    this.#onFault = onFault;
  }

  add(file: string | undefined, error: unknown, message?: string, renamedTo?: string): void {
    const fault = {
      snapshot: this.#snapshot,
      file,
      message: message ?? (error instanceof Error ? error.message : String(error)),
      error,
      renamedTo,
    };
    this.count++;
    if (this.#faults.length < FAULTS_MAX) this.#faults.push(fault);
    this.#onFault?.(fault);
  }

  /** Runs a check; what it throws about a file is a fault of it. */
  guard(file: string, check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.add(file, error);
    }
  }

  result(): VerifiedSnapshot {
    return {
      snapshot: this.#snapshot,
      result: this.count === 0 ? "ok" : "failed",
      faults: this.#faults,
      faultCount: this.count,
    };
  }
}

/** A whole regular file, which is no link; closed then. @throws {LimitError | OsError} */
function readWhole(source: ByteSource, path: string, sizeMax: number): Uint8Array<ArrayBuffer> {
  try {
    if (source.size > sizeMax) {
      throw new LimitError(`Cannot read "${path}": ${source.size} bytes are more than ${sizeMax}`);
    }
    const buffer = allocateNativeBuffer(source.size);
    return buffer.bytes.subarray(0, source.readAt(buffer, 0, source.size, 0));
  } finally {
    source.close();
  }
}

/** @throws {IntegrityError} when a file is not what the manifest says */
function checkAgainst(file: ManifestFile, size: number, checksum: string, path: string): void {
  if (size !== file.size) {
    throw new IntegrityError(
      `Cannot use file: it has ${size} bytes, the manifest says ${file.size}`,
      {
        code: "length",
        path,
      },
    );
  }
  if (checksum !== file.csum) {
    throw new IntegrityError("Cannot use file: its checksum is not that of the manifest", {
      code: "checksum",
      path,
    });
  }
}

/** When a task began; undefined where its name is none: then its result does not count. */
function startTimeOf(upid: string): number | undefined {
  try {
    return parseUpid(upid).startTime;
  } catch {
    return undefined;
  }
}
