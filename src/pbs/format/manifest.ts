/**
 * Manifests: what a snapshot consists of. Stored as the blob `index.json.blob`, which is never
 * encrypted.
 *
 * Everything but `signature` and `unprotected` is signed where a key is used. Fields that are not
 * known here are kept, since they may be part of what was signed.
 *
 * @module
 */

import { FormatError, LimitError } from "#src/errors.ts";
import {
  canonicalJson,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseStrictJson,
  prettyJson,
} from "./canonical_json.ts";
import { CRYPT_MODES, type CryptMode } from "./crypt.ts";
import { type BackupType, isBackupId, isBackupTime, isBackupType } from "./snapshot_path.ts";

/** The manifest's own file. */
export const MANIFEST_NAME = "index.json.blob";
/** The log that clients add when a backup is done; not listed in the manifest. */
export const CLIENT_LOG_NAME = "client.log.blob";
/** The catalog of all `.pxar` archives. */
export const CATALOG_NAME = "catalog.pcat1.didx";
/** The backup's key, encrypted for the owner of the master key. */
export const ENCRYPTED_KEY_NAME = "rsa-encrypted.key.blob";

const SIZE_MAX = 128 << 20;
const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]*\.([fd]idx|blob)$/;
const CHECKSUM = /^[0-9a-f]{64}$/;
const FIELDS = ["backup-id", "backup-time", "backup-type", "files", "signature", "unprotected"];
const FILE_FIELDS = ["crypt-mode", "csum", "filename", "size"];

/** A file of a snapshot. */
export interface ManifestFile {
  /** With its extension: `root.pxar.didx`, `vm.conf.blob`. */
  readonly filename: string;
  /** Of an index: bytes of the stream. Of a blob: bytes of its file. */
  readonly size: number;
  /** 64 hex digits. Of an index: its checksum. Of a blob: SHA-256 of its file. */
  readonly csum: string;
  /** Whether its chunks or blob are encrypted, only signed, or neither. */
  readonly cryptMode: CryptMode;
  /** Other fields. */
  readonly extra?: JsonObject | undefined;
}

/** A parsed manifest. */
export interface Manifest {
  /** With id and time the name of the snapshot; the namespace is not in it. */
  readonly backupType: BackupType;
  /** Such as the name of a machine or the number of a guest. */
  readonly backupId: string;
  /** Unix seconds. */
  readonly backupTime: number;
  /** All files but the manifest itself and the log of the client. */
  readonly files: readonly ManifestFile[];
  /** 64 hex digits; undefined where the manifest is not signed. */
  readonly signature: string | undefined;
  /** What may be changed later; see {@link notesOf} and its neighbours. */
  readonly unprotected: JsonObject;
  /** Other fields, which are signed too. */
  readonly extra?: JsonObject | undefined;
}

/** Outcome of the last verification. */
export interface VerifyState {
  /** `failed` when at least one file is damaged or incomplete. */
  readonly state: "ok" | "failed";
  /** Task of the server that verified it, or one that looks like that. */
  readonly upid: string;
}

/** What the writer of a snapshot counted. */
export interface UploadStatistics {
  /** Chunks of all streams, repeated ones included. */
  readonly count: number;
  /** Bytes of these chunks before compression. */
  readonly size: number;
  /** Bytes that they take as stored, repeated ones counted again. */
  readonly compressedSize: number;
  /** Chunks of these that the store had already. */
  readonly duplicates: number;
}

/** Whether a text can be the name of a file in a manifest. */
export function isManifestFileName(text: string): boolean {
  return FILE_NAME.test(text);
}

/**
 * Reads a manifest. The signature is not looked at.
 *
 * @param json content of the blob
 * @throws {FormatError} when it is none
 * @throws {LimitError} when it is larger than a blob may be
 */
export function parseManifest(json: Uint8Array): Manifest {
  const fields = parseJson(json);
  const { "backup-type": backupType, "backup-id": backupId, "backup-time": backupTime } = fields;
  if (typeof backupType !== "string" || !isBackupType(backupType)) throw invalid("backup-type");
  if (typeof backupId !== "string" || !isBackupId(backupId)) throw invalid("backup-id");
  if (!isBackupTime(backupTime)) throw invalid("backup-time");
  const { signature = null, unprotected = {} } = fields;
  if (signature !== null && (typeof signature !== "string" || !CHECKSUM.test(signature))) {
    throw invalid("signature");
  }
  if (!isJsonObject(unprotected)) throw invalid("unprotected");
  const extra = otherFields(fields, FIELDS);
  return {
    backupType,
    backupId,
    backupTime,
    files: parseFiles(fields["files"]),
    signature: signature ?? undefined,
    unprotected,
    extra,
  };
}

/** The JSON of a manifest, in the reference's form. */
export function formatManifest(manifest: Manifest): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(prettyJson({
    ...signedPart(manifest),
    signature: manifest.signature ?? null,
    unprotected: manifest.unprotected,
  }));
}

/**
 * What the signature of a manifest is computed over.
 *
 * @throws {FormatError} when a field has no canonical form
 */
export function signedText(manifest: Manifest): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(canonicalJson(signedPart(manifest)));
}

/**
 * Crypt mode of the whole snapshot.
 *
 * @throws {FormatError} when its files have different ones
 */
export function cryptModeOf({ files }: Manifest): CryptMode {
  const mode = files[0]?.cryptMode ?? "none";
  if (files.every((file) => file.cryptMode === mode)) return mode;
  throw new FormatError("Cannot use manifest: its files have different crypt modes");
}

/** The entry of a file; undefined where it is not listed. */
export function findManifestFile({ files }: Manifest, filename: string): ManifestFile | undefined {
  return files.find((file) => file.filename === filename);
}

/** Fingerprint (`xx:xx:…`) of the key that the snapshot was made with. */
export function keyFingerprintOf({ unprotected }: Manifest): string | undefined {
  const fingerprint = unprotected["key-fingerprint"];
  return typeof fingerprint === "string" ? fingerprint : undefined;
}

/** Notes of the snapshot. */
export function notesOf({ unprotected }: Manifest): string | undefined {
  const { notes } = unprotected;
  return typeof notes === "string" ? notes : undefined;
}

/** Outcome of the last verification; undefined where there is none or it is not understood. */
export function verifyStateOf({ unprotected }: Manifest): VerifyState | undefined {
  const { verify_state: value } = unprotected;
  if (!isJsonObject(value)) return undefined;
  const { state, upid } = value;
  if (typeof upid !== "string" || (state !== "ok" && state !== "failed")) return undefined;
  return { state, upid };
}

/** What the writer counted; undefined where that is not known. */
export function uploadStatisticsOf({ unprotected }: Manifest): UploadStatistics | undefined {
  const { chunk_upload_stats: value } = unprotected;
  if (!isJsonObject(value)) return undefined;
  const { count, size, compressed_size: compressedSize, duplicates } = value;
  if (!isCount(count) || !isCount(size) || !isCount(compressedSize) || !isCount(duplicates)) {
    return undefined;
  }
  return { count, size, compressedSize, duplicates };
}

/** The manifest with another value in its unprotected part; undefined removes it. */
function withUnprotected(
  manifest: Manifest,
  name: string,
  value: JsonValue | undefined,
): Manifest {
  const { [name]: _, ...others } = manifest.unprotected;
  return {
    ...manifest,
    unprotected: value === undefined ? others : { ...others, [name]: value },
  };
}

/** The manifest with the fingerprint of the key that it is made with. */
export function withKeyFingerprint(manifest: Manifest, fingerprint: string): Manifest {
  return withUnprotected(manifest, "key-fingerprint", fingerprint);
}

/** The manifest with other notes; the empty text removes them. */
export function withNotes(manifest: Manifest, notes: string): Manifest {
  return withUnprotected(manifest, "notes", notes === "" ? undefined : notes);
}

/** The manifest with the outcome of a verification; undefined removes it. */
export function withVerifyState(manifest: Manifest, outcome: VerifyState | undefined): Manifest {
  const { state, upid } = outcome ?? {};
  const value = state === undefined || upid === undefined ? undefined : { state, upid };
  return withUnprotected(manifest, "verify_state", value);
}

/** The manifest with what the writer counted. */
export function withUploadStatistics(manifest: Manifest, counted: UploadStatistics): Manifest {
  const { count, size, compressedSize, duplicates } = counted;
  return withUnprotected(manifest, "chunk_upload_stats", {
    count,
    size,
    compressed_size: compressedSize,
    duplicates,
  });
}

function signedPart(manifest: Manifest): JsonObject {
  return {
    ...manifest.extra,
    "backup-type": manifest.backupType,
    "backup-id": manifest.backupId,
    "backup-time": manifest.backupTime,
    files: manifest.files.map(({ filename, size, csum, cryptMode, extra }) => ({
      ...extra,
      filename,
      size,
      csum,
      "crypt-mode": cryptMode,
    })),
  };
}

function parseJson(json: Uint8Array): JsonObject {
  if (json.length > SIZE_MAX) {
    throw new LimitError(`Cannot read manifest: ${json.length} bytes are more than ${SIZE_MAX}`);
  }
  let value: JsonValue;
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    value = parseStrictJson(decoder.decode(json));
  } catch (cause) {
    throw new FormatError("Cannot read manifest: it is not valid JSON", { cause });
  }
  if (!isJsonObject(value)) throw new FormatError("Cannot read manifest: it is not a JSON object");
  return value;
}

function parseFiles(value: JsonValue | undefined): ManifestFile[] {
  if (!Array.isArray(value)) throw invalid("files");
  const seen = new Set<string>();
  return value.map((item: JsonValue) => {
    if (!isJsonObject(item)) throw invalid("files");
    const { filename, size, csum, "crypt-mode": cryptMode = "none" } = item;
    if (typeof filename !== "string" || !isManifestFileName(filename) || seen.has(filename)) {
      throw invalid("filename");
    }
    seen.add(filename);
    if (!isCount(size)) throw invalid("size");
    if (typeof csum !== "string" || !CHECKSUM.test(csum)) throw invalid("csum");
    if (!isCryptMode(cryptMode)) throw invalid("crypt-mode");
    const extra = otherFields(item, FILE_FIELDS);
    return { filename, size, csum, cryptMode, extra };
  });
}

function otherFields(fields: JsonObject, known: readonly string[]): JsonObject | undefined {
  const others = Object.entries(fields).filter(([name]) => !known.includes(name));
  return others.length === 0 ? undefined : Object.fromEntries(others);
}

function isCryptMode(value: JsonValue): value is CryptMode {
  return (CRYPT_MODES as readonly JsonValue[]).includes(value);
}

function isCount(value: JsonValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function invalid(field: string): FormatError {
  return new FormatError(`Cannot read manifest: "${field}" is missing, twice there or not valid`);
}
