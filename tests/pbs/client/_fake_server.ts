/**
 * A server in memory: what the two protocols and the calls say, as little as that needs. It writes
 * down every call, and fails where a test says so.
 *
 * @module
 */

import { sha256Of } from "#src/codecs/hashing.ts";
import { ProtocolError } from "#src/errors.ts";
import type { HttpCall, HttpClient, HttpResult, IncomingBody } from "#src/net/http.ts";
import type { ServerPort } from "#src/pbs/client/network_thread/server_port.ts";
import { serverFailure } from "#src/pbs/client/server_failure.ts";
import { DynamicIndex, DynamicIndexBuilder } from "#src/pbs/format/dynamic_index.ts";
import { FixedIndex, FixedIndexBuilder } from "#src/pbs/format/fixed_index.ts";

const FIXED_SIZE = 4 << 20;
const STAMP = { uuid: new Uint8Array(16), ctime: 1 };

interface FakeSnapshot {
  readonly time: number;
  readonly files: Map<string, Uint8Array<ArrayBuffer>>;
  isProtected: boolean;
  notes: string;
  readers: number;
}

interface FakeGroup {
  owner: string;
  notes: string;
  isLocked: boolean;
  readonly snapshots: Map<number, FakeSnapshot>;
}

type Parameters = Readonly<Record<string, string>>;

class Refused extends Error {
  constructor(readonly status: number, text: string) {
    super(text);
  }
}

/** What a test tells and asks it. */
export interface FakeFaults {
  /** Asked before each call of a session; breaks its connection by returning true. */
  breaksAt?(call: string, number: number): boolean;
  /** Asked before each connection; there is none when it returns true. */
  isDown?(): boolean;
  /** Asked for what is answered in place of a chunk. */
  chunk?(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
}

/** See the module. */
export class FakeServer implements ServerPort {
  readonly name = "me@pbs@fake:8007";
  /** `GET /path?query status` of each call of a session. */
  readonly calls: string[] = [];
  /** `METHOD name` of each call of the REST interface. */
  readonly restCalls: string[] = [];
  readonly chunks = new Map<string, Uint8Array<ArrayBuffer>>();
  /** By namespace. */
  readonly groups = new Map<string, Map<string, FakeGroup>>([["", new Map()]]);
  faults: FakeFaults = {};

  async upgrade(
    kind: "backup" | "reader",
    parameters: Readonly<Record<string, unknown>>,
  ): Promise<HttpClient> {
    await Promise.resolve();
    if (this.faults.isDown?.() === true) {
      throw new ProtocolError("fake:8007 refuses connections", { isTemporary: true });
    }
    const values = Object.fromEntries(Object.entries(parameters).map(([k, v]) => [k, String(v)]));
    try {
      const session = kind === "backup"
        ? new BackupHandler(this, values)
        : new ReaderHandler(this, values);
      return new FakeClient(this, session);
    } catch (error) {
      if (error instanceof Refused) throw serverFailure(error.status, error.message, this.name);
      throw error;
    }
  }

  async call(
    method: string,
    path: string,
    parameters: Readonly<Record<string, unknown>>,
    { body }: { readonly body?: Uint8Array<ArrayBuffer> },
  ): Promise<unknown> {
    await Promise.resolve();
    const values = Object.fromEntries(
      Object.entries(parameters).filter(([, v]) => v !== undefined).map(([k, v]) => [k, String(v)]),
    );
    try {
      return this.#rest(`${method} ${path.replace(/^admin\/datastore\/main\//, "")}`, values, body);
    } catch (error) {
      if (error instanceof Refused) throw serverFailure(error.status, error.message, this.name);
      throw error;
    }
  }

  close(): void {}

  /** The group of a call. */
  group(values: Parameters, makes = false): FakeGroup {
    const groups = this.namespace(values["ns"] ?? "");
    const key = `${values["backup-type"]}/${values["backup-id"]}`;
    const found = groups.get(key);
    if (found !== undefined) return found;
    if (!makes) throw new Refused(400, `group ${key} does not exist`);
    const group = { owner: "me@pbs", notes: "", isLocked: false, snapshots: new Map() };
    groups.set(key, group);
    return group;
  }

  snapshot(values: Parameters): FakeSnapshot {
    const found = this.namespace(values["ns"] ?? "")
      .get(`${values["backup-type"]}/${values["backup-id"]}`)
      ?.snapshots.get(Number(values["backup-time"]));
    if (found === undefined) throw new Refused(400, "snapshot host/x does not exist.");
    return found;
  }

  namespace(ns: string): Map<string, FakeGroup> {
    const groups = this.groups.get(ns);
    if (groups === undefined) throw new Refused(404, "namespace not found");
    return groups;
  }

  #rest(call: string, values: Parameters, body: Uint8Array<ArrayBuffer> | undefined): unknown {
    this.restCalls.push(call);
    switch (call) {
      case "GET namespace": {
        const parent = values["parent"] ?? "";
        this.namespace(parent);
        return [...this.groups.keys()]
          .filter((ns) => parent === "" || ns === parent || ns.startsWith(`${parent}/`))
          .map((ns) => ({ ns }));
      }
      case "POST namespace": {
        const parent = values["parent"] ?? "";
        this.namespace(parent);
        const ns = parent === "" ? values["name"]! : `${parent}/${values["name"]}`;
        if (this.groups.has(ns)) throw new Refused(400, "namespace already exists");
        this.groups.set(ns, new Map());
        return ns;
      }
      case "DELETE namespace": {
        const ns = values["ns"]!;
        this.namespace(ns);
        const inside = [...this.groups].filter(([one]) => one === ns || one.startsWith(`${ns}/`));
        if (values["delete-groups"] !== "true" && inside.some(([, groups]) => groups.size > 0)) {
          throw new Refused(400, "namespace not empty");
        }
        for (const [one] of inside) this.groups.delete(one);
        return null;
      }
      case "GET groups":
        // Servers do not list what has no snapshot.
        return [...this.namespace(values["ns"] ?? "")].filter(([, { snapshots }]) =>
          snapshots.size > 0
        ).map(([key, group]) => ({
          ...nameOf(key),
          "backup-count": group.snapshots.size,
          "last-backup": 0,
          files: [],
          owner: group.owner,
          ...group.notes === "" ? {} : { comment: group.notes.split("\n")[0] },
        }));
      case "DELETE groups":
        this.group(values);
        this.namespace(values["ns"] ?? "").delete(
          `${values["backup-type"]}/${values["backup-id"]}`,
        );
        return null;
      case "GET snapshots":
        return [...this.namespace(values["ns"] ?? "")].flatMap(([key, group]) => {
          const name = nameOf(key);
          if (name["backup-id"] !== values["backup-id"]) return [];
          return [...group.snapshots.values()].map((snapshot) => describe(name, group, snapshot));
        });
      case "DELETE snapshots": {
        const snapshot = this.snapshot(values);
        if (snapshot.isProtected) throw new Refused(400, "cannot remove protected snapshot");
        if (snapshot.readers > 0) throw new Refused(400, "snapshot is currently in use");
        this.group(values).snapshots.delete(snapshot.time);
        return null;
      }
      case "GET notes":
        return this.snapshot(values).notes;
      case "PUT notes":
        this.snapshot(values).notes = values["notes"]!;
        return null;
      case "GET group-notes":
        return this.group(values).notes;
      case "PUT group-notes":
        this.group(values).notes = values["notes"]!;
        return null;
      case "PUT protected":
        this.snapshot(values).isProtected = values["protected"] === "true";
        return null;
      case "POST change-owner":
        this.group(values).owner = values["new-owner"]!;
        return null;
      case "POST upload-backup-log": {
        const { files } = this.snapshot(values);
        if (files.has("client.log.blob")) throw new Refused(400, "backup already contains a log.");
        files.set("client.log.blob", body!);
        return null;
      }
      // Not calls of real servers.
      case "GET calls":
        return this.calls.splice(0);
      case "GET rest-calls":
        return this.restCalls.splice(0).slice(0, -1);
      case "GET status":
        return { total: 100, used: 40, avail: 60 };
      default:
        throw new Refused(404, `Path '${call}' not found.`);
    }
  }
}

function nameOf(key: string) {
  const [type, id] = key.split("/");
  return { "backup-type": type!, "backup-id": id! };
}

/** As the real server lists it: sizes and modes of a manifest, which is a plain blob here. */
function describe(
  name: { readonly "backup-id": string },
  group: FakeGroup,
  { time, files, isProtected, notes }: FakeSnapshot,
) {
  const manifest = files.get("index.json.blob");
  const parsed = manifest === undefined ? undefined : readManifest(manifest);
  const listed = new Set(parsed?.files.map(({ filename }) => filename));
  return {
    ...name,
    "backup-time": time,
    owner: group.owner,
    protected: isProtected,
    files: [
      ...parsed?.files ?? [],
      ...[...files].filter(([file]) => !listed.has(file)).map(([filename, { length }]) => ({
        filename,
        ...filename === "index.json.blob" ? { size: length, "crypt-mode": "none" } : {},
      })),
    ],
    ...notes === "" ? {} : { comment: notes.split("\n")[0] },
    ...parsed?.fingerprint === undefined ? {} : { fingerprint: parsed.fingerprint },
  };
}

function readManifest(blob: Uint8Array<ArrayBuffer>) {
  const { files, unprotected } = manifestOf(blob);
  return { files, fingerprint: unprotected["key-fingerprint"] };
}

type Manifest = {
  files: { filename: string; size: number; "crypt-mode": string }[];
  unprotected: Record<string, string>;
};

let manifestOf: (blob: Uint8Array<ArrayBuffer>) => Manifest;

/** How blobs of manifests are decoded: by the code of the client. */
export function setManifestDecoder(decode: typeof manifestOf): void {
  manifestOf = decode;
}

/** Answers the calls of a session. */
interface SessionHandler {
  handle(call: string, values: Parameters, body: Uint8Array<ArrayBuffer>): unknown;
  close(): void;
}

class ReaderHandler implements SessionHandler {
  readonly #server: FakeServer;
  readonly #snapshot: FakeSnapshot;
  readonly #known = new Set<string>();

  constructor(server: FakeServer, values: Parameters) {
    this.#server = server;
    this.#snapshot = server.snapshot(values);
    this.#snapshot.readers++;
  }

  handle(call: string, values: Parameters): unknown {
    switch (call) {
      case "GET /download": {
        const file = this.#snapshot.files.get(values["file-name"]!);
        if (file === undefined) throw new Refused(404, "open file failed - not found");
        for (const [digest] of chunksOf(values["file-name"]!, file)) this.#known.add(digest);
        return file;
      }
      case "GET /chunk": {
        const digest = values["digest"]!;
        if (!this.#known.has(digest)) {
          throw new Refused(401, `download chunk ${digest} not allowed`);
        }
        const chunk = this.#server.chunks.get(digest);
        if (chunk === undefined) throw new Refused(400, "No such file or directory");
        return this.#server.faults.chunk?.(chunk) ?? chunk;
      }
      default:
        throw new Refused(404, `Path '${call}' not found.`);
    }
  }

  close(): void {
    this.#snapshot.readers--;
  }
}

interface FakeWriter {
  readonly name: string;
  readonly size: number;
  readonly base: FixedIndex | undefined;
  readonly entries: [digest: string, offset: number, size: number][];
  end: number;
}

class BackupHandler implements SessionHandler {
  readonly #server: FakeServer;
  readonly #group: FakeGroup;
  readonly #snapshot: FakeSnapshot;
  readonly #base: FakeSnapshot | undefined;
  readonly #known = new Map<string, number>();
  readonly #writers = new Map<number, FakeWriter>();
  #count = 0;
  #isFinished = false;

  constructor(server: FakeServer, values: Parameters) {
    this.#server = server;
    const time = Number(values["backup-time"]);
    const group = server.group(values, true);
    if (group.isLocked) throw new Refused(400, "another backup is already running");
    this.#base = [...group.snapshots.values()].toSorted((a, b) => a.time - b.time).at(-1);
    if (this.#base !== undefined && time <= this.#base.time) {
      throw new Refused(400, "backup timestamp is older than last backup.");
    }
    group.isLocked = true;
    this.#group = group;
    this.#snapshot = { time, files: new Map(), isProtected: false, notes: "", readers: 0 };
    group.snapshots.set(time, this.#snapshot);
  }

  handle(call: string, values: Parameters, body: Uint8Array<ArrayBuffer>): unknown {
    switch (call) {
      case "GET /previous_backup_time":
        return { data: this.#base?.time ?? null };
      case "GET /previous": {
        const name = values["archive-name"]!;
        const file = this.#base?.files.get(name);
        if (file === undefined) throw new Refused(400, "no valid previous backup");
        for (const [digest, size] of chunksOf(name, file)) this.#known.set(digest, size);
        return file;
      }
      case "POST /dynamic_index":
      case "POST /fixed_index":
        return { data: this.#open(values) };
      case "POST /dynamic_chunk":
      case "POST /fixed_chunk":
        if (Number(values["encoded-size"]) !== body.length) throw new Refused(400, "bad size");
        if (!this.#writers.has(Number(values["wid"]))) throw new Refused(400, "not registered");
        this.#known.set(values["digest"]!, Number(values["size"]));
        this.#server.chunks.set(values["digest"]!, body);
        return { data: values["digest"] };
      case "PUT /dynamic_index":
      case "PUT /fixed_index":
        this.#append(JSON.parse(new TextDecoder().decode(body)));
        return { data: null };
      case "POST /dynamic_close":
      case "POST /fixed_close":
        this.#close(values);
        return { data: null };
      case "POST /blob":
        if (Number(values["encoded-size"]) !== body.length) throw new Refused(400, "bad size");
        this.#snapshot.files.set(values["file-name"]!, body);
        return { data: null };
      case "POST /finish":
        if (this.#writers.size > 0) throw new Refused(400, "found open index writer");
        if (!this.#snapshot.files.has("index.json.blob")) throw new Refused(400, "no manifest");
        this.#isFinished = true;
        return { data: null };
      default:
        throw new Refused(404, `Path '${call}' not found.`);
    }
  }

  close(): void {
    this.#group.isLocked = false;
    if (!this.#isFinished) this.#group.snapshots.delete(this.#snapshot.time);
  }

  #open(values: Parameters): number {
    const name = values["archive-name"]!;
    const csum = values["reuse-csum"];
    const base = csum === undefined ? undefined : FixedIndex.parse(this.#base!.files.get(name)!);
    if (base !== undefined && base.statedChecksum !== csum) throw new Refused(400, "cannot reuse");
    const size = Number(values["size"] ?? 0);
    this.#writers.set(++this.#count, { name, size, base, entries: [], end: 0 });
    return this.#count;
  }

  #append(list: { "digest-list": string[]; "offset-list": number[]; wid: number }): void {
    const writer = this.#writers.get(list.wid)!;
    list["digest-list"].forEach((digest, index) => {
      const offset = list["offset-list"][index]!;
      const size = this.#known.get(digest);
      if (size === undefined) throw new Refused(400, `no such chunk ${digest}`);
      const isFixed = writer.name.endsWith(".fidx");
      if (!isFixed && offset !== writer.end) throw new Refused(400, "strange chunk offset");
      if (isFixed && (offset % FIXED_SIZE !== 0 || offset + size > writer.size)) {
        throw new Refused(400, "chunk with unexpected length");
      }
      writer.end += size;
      writer.entries.push([digest, offset, size]);
    });
  }

  #close(values: Parameters): void {
    const wid = Number(values["wid"]);
    const writer = this.#writers.get(wid);
    if (writer === undefined) throw new Refused(400, "writer not registered");
    this.#writers.delete(wid);
    const { entries, base, name, size } = writer;
    if (Number(values["chunk-count"]) !== entries.length) {
      throw new Refused(400, "received wrong number of chunk");
    }
    let index;
    if (name.endsWith(".fidx")) {
      const builder = new FixedIndexBuilder(size, FIXED_SIZE);
      for (let offset = 0; offset < size; offset += FIXED_SIZE) {
        const changed = entries.find((entry) => entry[1] === offset)?.[0];
        builder.add((changed ?? base!.digestOf(offset / FIXED_SIZE)) as never);
      }
      index = builder.finish(STAMP, sha256Of);
    } else {
      const builder = new DynamicIndexBuilder();
      for (const [digest, offset, size] of entries) builder.add(digest as never, offset + size);
      index = builder.finish(STAMP, sha256Of);
    }
    if (index.checksum !== values["csum"]) throw new Refused(400, "wrong checksum");
    this.#snapshot.files.set(name, index.bytes);
  }
}

function* chunksOf(name: string, bytes: Uint8Array<ArrayBuffer>): Generator<[string, number]> {
  const Kind = name.endsWith(".fidx") ? FixedIndex : name.endsWith(".didx") ? DynamicIndex : null;
  const index = Kind?.parse(bytes);
  for (let position = 0; position < (index?.count ?? 0); position++) {
    yield [index!.digestOf(position), index!.endOf(position) - index!.startOf(position)];
  }
}

class FakeClient implements HttpClient {
  readonly closed: Promise<void>;
  readonly #server: FakeServer;
  readonly #session: SessionHandler;
  readonly #end: () => void;
  #isClosed = false;

  constructor(server: FakeServer, session: SessionHandler) {
    this.#server = server;
    this.#session = session;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#end = resolve;
  }

  async send({ method, target, headers, body = new Uint8Array(0) }: HttpCall): Promise<HttpResult> {
    const [path, query] = target.split("?") as [string, string?];
    const call = `${method} ${path}`;
    const { calls, faults } = this.#server;
    await new Promise((resolve) => setTimeout(resolve, calls.length % 3 === 0 ? 1 : 0));
    if (this.#isClosed || faults.breaksAt?.(call, calls.length) === true) {
      this.close();
      throw new ProtocolError("fake:8007: the connection was lost", {
        code: "connection-lost",
        isTemporary: true,
      });
    }
    const values = Object.fromEntries(new URLSearchParams(query));
    const type = headers?.["content-type"];
    try {
      // As on a network, neither end has the memory of the other.
      const answer = this.#session.handle(call, values, body.slice());
      calls.push(`${method} ${target} ${type} 200`);
      return answerOf(200, answer);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      calls.push(`${method} ${target} ${type} ${error.status}`);
      return answerOf(error.status, new TextEncoder().encode(error.message));
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#session.close();
    this.#end();
  }
}

function answerOf(status: number, answer: unknown): HttpResult {
  const bytes = answer instanceof Uint8Array
    ? new Uint8Array(answer)
    : new TextEncoder().encode(JSON.stringify(answer));
  return { status, headers: {}, body: new FakeBody(bytes) };
}

class FakeBody implements IncomingBody {
  #rest: Uint8Array<ArrayBuffer> | undefined;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#rest = bytes;
  }

  get length(): number {
    return this.#rest?.length ?? 0;
  }

  read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const part = this.#rest?.subarray(0, 1 << 20);
    const rest = this.#rest?.subarray(1 << 20);
    this.#rest = rest?.length === 0 ? undefined : rest;
    return Promise.resolve(part?.length === 0 ? undefined : part);
  }

  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return Promise.resolve(this.#rest!);
  }

  readInto(target: Uint8Array): Promise<number> {
    target.set(this.#rest!);
    return Promise.resolve(this.#rest!.length);
  }

  discard(): void {}
}
