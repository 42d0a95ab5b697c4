/**
 * A datastore that is served by threads, with sessions on it.
 *
 * @module
 */

import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";
import { hostCodecs } from "#src/codecs/codecs.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { formatManifest, type Manifest, type ManifestFile } from "#src/pbs/format/manifest.ts";
import { type GroupId, parseNamespace } from "#src/pbs/format/snapshot_path.ts";
import { type ServedStore, StoreThreads } from "#src/pbs/server/served_store.ts";
import type { HttpSession } from "#src/pbs/server/session.ts";
import { startBackupSession, startReaderSession } from "#src/pbs/server/sessions.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { data } from "./_session_client.ts";

/** What a session is to be. */
export interface SceneSession {
  readonly id?: string;
  readonly type?: GroupId["type"];
  readonly ns?: string;
  readonly time?: number;
  readonly authId?: string;
  readonly isBenchmark?: boolean;
}

/** A chunk or a blob as a client sends it. */
export interface Sent {
  readonly digest: string;
  readonly size: number;
  readonly encoded: Uint8Array<ArrayBuffer>;
}

const codec = new BlobCodec(hostCodecs());

/** A chunk as a client sends it. */
export function chunkOf(plain: Uint8Array<ArrayBuffer>, compress = true): Sent {
  const encoded = codec.encodeBytes(plain, { compress });
  return { digest: sha256Of(plain).toHex(), size: plain.length, encoded };
}

/** Bytes that do not get smaller, the same for the same seed. */
export function noise(seed: number, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let state = seed * 2654435761 + 1 >>> 0;
  for (let index = 0; index < size; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state;
  }
  return bytes;
}

/** See the head of the module. */
export class ServedScene {
  readonly threads = new StoreThreads();
  readonly store: ServedStore;
  readonly path: string;
  readonly #directory = new TempDirectory("served");
  readonly #sessions: HttpSession[] = [];

  constructor() {
    this.path = this.#directory.join("store");
    Deno.mkdirSync(`${this.path}/.chunks`, { recursive: true });
    this.store = this.threads.serve({ name: "main", path: this.path, syncLevel: "none" });
  }

  backup(options: SceneSession = {}): Promise<HttpSession> {
    return this.#start(startBackupSession, options);
  }

  reader(options: SceneSession = {}): Promise<HttpSession> {
    return this.#start(startReaderSession, options);
  }

  /** The datastore, for what a test looks at. */
  open(): Datastore {
    return Datastore.open(this.path, { access: "write", lockTimeoutMs: 0 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions) await session.close();
    await this.threads.close();
    this.#directory[Symbol.dispose]();
  }

  async #start(start: typeof startBackupSession, options: SceneSession): Promise<HttpSession> {
    const { id = "a", type = "host", ns = "", time = 1_800_000_000 } = options;
    const session = await start({
      store: this.store,
      authId: options.authId ?? "tester@pbs",
      group: { ns: parseNamespace(ns), type, id },
      time,
      isBenchmark: options.isBenchmark ?? false,
      isDebug: false,
    }, new AbortController().signal);
    this.#sessions.push(session);
    return session;
  }
}

/** Uploads a chunk. */
export async function upload(
  session: Pick<HttpSession, "handler">,
  kind: "dynamic" | "fixed",
  wid: number,
  { digest, size, encoded }: Sent,
): Promise<void> {
  const query = `wid=${wid}&digest=${digest}&size=${size}&encoded-size=${encoded.length}`;
  await data(session, "POST", `/${kind}_chunk?${query}`, { body: encoded });
}

/** The checksum of an index of these chunks. */
export function dynamicChecksum(chunks: readonly Sent[]): string {
  const entries = new Uint8Array(40 * chunks.length);
  const view = new DataView(entries.buffer);
  let end = 0;
  chunks.forEach(({ digest, size }, index) => {
    end += size;
    view.setBigUint64(40 * index, BigInt(end), true);
    entries.set(Uint8Array.fromHex(digest), 40 * index + 8);
  });
  return sha256Of(entries).toHex();
}

/** Writes a dynamic index of chunks; those that are known already are not uploaded. */
export async function writeDynamic(
  session: Pick<HttpSession, "handler">,
  name: string,
  chunks: readonly Sent[],
  known: ReadonlySet<string> = new Set(),
): Promise<ManifestFile> {
  const wid = await data(session, "POST", `/dynamic_index?archive-name=${name}`) as number;
  const fresh = chunks.filter(({ digest }) => !known.has(digest));
  await Promise.all(fresh.map((chunk) => upload(session, "dynamic", wid, chunk)));
  let offset = 0;
  for (const { digest, size } of chunks) {
    const body = { wid, "digest-list": [digest], "offset-list": [offset] };
    await data(session, "PUT", "/dynamic_index", { body });
    offset += size;
  }
  const csum = dynamicChecksum(chunks);
  const query = `wid=${wid}&chunk-count=${chunks.length}&size=${offset}&csum=${csum}`;
  await data(session, "POST", `/dynamic_close?${query}`);
  return { filename: name, size: offset, csum, cryptMode: "none" };
}

/** Uploads the manifest and finishes. */
export async function finish(
  session: Pick<HttpSession, "handler">,
  { id = "a", type = "host", time = 1_800_000_000 }: SceneSession,
  files: readonly ManifestFile[],
): Promise<void> {
  const manifest: Manifest = {
    backupType: type,
    backupId: id,
    backupTime: time,
    files,
    signature: undefined,
    unprotected: {},
  };
  const body = codec.encodeBytes(formatManifest(manifest), { compress: true });
  const query = `file-name=index.json.blob&encoded-size=${body.length}`;
  await data(session, "POST", `/blob?${query}`, { body });
  await data(session, "POST", "/finish");
}
