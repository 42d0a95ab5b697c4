/** What the server's REST interface does with files of snapshots, on the golden datastore. */

import { deepStrictEqual as same, match, ok, strictEqual as equal } from "node:assert";
import { createHash } from "node:crypto";
import { cpSync, existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import { decodeFileName } from "#src/bytes/file_name.ts";
import { encodeBlobHeader } from "#src/pbs/format/blob.ts";
import {
  expectedDatastore,
  type ExpectedSnapshot,
  goldenDatastore,
  hasChunks,
  readIndex,
  snapshotPath,
} from "#tests/support/pbs_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { type Credentials, NetworkScene, type Reply, ticketOf } from "./_network_scene.ts";

const API = fileURLToPath(new URL("../../../../../shared/fixtures/pbs/api", import.meta.url));
const S = "admin/datastore/main";
const ALPHA = "backup-type=host&backup-id=alpha";
const TIMES = [1704880800, 1704967200, 1705053600] as const;
const FIRST = `${ALPHA}&backup-time=${TIMES[0]}`;
const SECOND = `${ALPHA}&backup-time=${TIMES[1]}`;

/** A copy of the golden datastore that somebody serves who may do everything. */
class Golden implements AsyncDisposable {
  readonly path: string;
  readonly #directory: TempDirectory;
  #credentials!: Credentials;
  #scene!: NetworkScene;

  private constructor() {
    this.#directory = new TempDirectory("data-paths");
    this.path = this.#directory.join("store");
  }

  static async start(): Promise<Golden> {
    const golden = new Golden();
    cpSync(goldenDatastore(), golden.path, { recursive: true });
    golden.#scene = await NetworkScene.start({ storePath: golden.path });
    golden.#scene.add("tester@pbs", "admin");
    golden.#credentials = ticketOf(await golden.#scene.login("tester@pbs"));
    return golden;
  }

  call(method: string, call: string, body?: Uint8Array<ArrayBuffer>): Promise<Reply> {
    return this.#scene.call(method, `${S}/${call}`, this.#credentials, body);
  }

  data(method: string, call: string): Promise<unknown> {
    return this.#scene.data(method, `${S}/${call}`, this.#credentials);
  }

  /** `status text` of a refusal. */
  async refusal(method: string, call: string, body?: Uint8Array<ArrayBuffer>): Promise<string> {
    const { status, text } = await this.call(method, call, body);
    return `${status} ${text}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scene[Symbol.asyncDispose]();
    this.#directory[Symbol.dispose]();
  }
}

/** Parameters that name a snapshot. */
function parametersOf({ ns, snapshot }: ExpectedSnapshot): string {
  const [type, id, time] = snapshot.split("/") as [string, string, string];
  const seconds = Date.parse(time) / 1000;
  const namespace = ns === "" ? "" : `&ns=${encodeURIComponent(ns)}`;
  return `backup-type=${type}&backup-id=${id}&backup-time=${seconds}${namespace}`;
}

function encoded(path: string): string {
  return encodeURIComponent(new TextEncoder().encode(path).toBase64());
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

interface Listed {
  readonly filepath: string;
  readonly text: string;
  readonly type: string;
  readonly leaf: boolean;
  readonly size?: number;
  readonly mtime?: number;
}

Deno.test("a catalog is listed as the tree that was backed up, directory by directory", async () => {
  await using golden = await Golden.start();
  const { snapshots, trees } = expectedDatastore();
  const snapshot = snapshots.find(({ snapshot }) => snapshot.startsWith("host/alpha/2024-01-10"))!;
  const list = async (filepath: string) => {
    const call = `catalog?${FIRST}&filepath=${encodeURIComponent(filepath)}`;
    return await golden.data("GET", call) as Listed[];
  };
  const [root, ...others] = await list("Lw==");
  same(others, []);
  equal(root!.text, "root.pxar.didx");
  same([root!.type, root!.leaf], ["d", false]);

  const found = new Map<string, Listed>();
  const walk = async (directory: string, path: string): Promise<void> => {
    for (const entry of await list(directory)) {
      const name = decodeFileName(Uint8Array.fromBase64(entry.filepath)).split("/").at(-1)!;
      equal(entry.text, name.toWellFormed());
      found.set(`${path}/${name}`, entry);
      equal(entry.leaf, entry.type !== "d");
      if (!entry.leaf) await walk(entry.filepath, `${path}/${name}`);
    }
  };
  await walk(root!.filepath, "");
  const tree = trees[snapshot.pxar["root.pxar.didx"]!.tree]!;
  const expected = tree.filter(({ path }) => path !== "/");
  ok(expected.some((entry) => entry.path_b64 !== undefined));
  const letters: Readonly<Record<string, string>> = {
    dir: "d",
    file: "f",
    symlink: "l",
    char: "c",
    block: "b",
    fifo: "p",
    socket: "s",
  };
  for (const { path_b64: raw, type, size, mtime, ...entry } of expected) {
    const path = raw === undefined ? entry.path! : decodeFileName(Uint8Array.fromBase64(raw));
    const listed = found.get(path);
    ok(listed !== undefined, path);
    ok(listed.type === letters[type] || listed.type === "h", `${path}: ${listed.type}`);
    if (listed.type === "f") same([listed.size, listed.mtime], [size, mtime.secs], path);
  }
  match(
    await golden.refusal("GET", `catalog?${FIRST}&filepath=${encoded("/root.pxar.didx/none")}`),
    /^40[04] .*none/,
  );
  match(
    await golden.refusal(
      "GET",
      `catalog?${FIRST}&filepath=${encoded("/root.pxar.didx/big/text.log")}`,
    ),
    /^40[04] /,
  );
  match(await golden.refusal("GET", `catalog?${FIRST}&filepath=A`), /^400 .*filepath/);
});

Deno.test({
  name: "a directory of a catalog is listed as by the reference's server",
  ignore: !existsSync(API),
  async fn() {
    await using golden = await Golden.start();
    const recorded = JSON.parse(Deno.readTextFileSync(`${API}/catalog-dir.json`)).data;
    for (const path of ["/root.pxar.didx/big", "root.pxar.didx/big", "/root.pxar.didx/big/"]) {
      same(await golden.data("GET", `catalog?${SECOND}&filepath=${encoded(path)}`), recorded, path);
    }
  },
});

Deno.test("files of snapshots are downloaded as they are stored", async () => {
  await using golden = await Golden.start();
  let count = 0;
  for (const snapshot of expectedDatastore().snapshots) {
    const folder = snapshotPath(snapshot);
    for (const { name } of Deno.readDirSync(folder)) {
      if (!/\.(didx|fidx|blob)$/.test(name)) continue;
      const call = `download?${parametersOf(snapshot)}&file-name=${name}`;
      const { status, bytes } = await golden.call("GET", call);
      equal(status, 200, call);
      equal(digestOf(bytes), digestOf(Deno.readFileSync(`${folder}/${name}`)), call);
      count++;
    }
  }
  ok(count > 40, `${count}`);
  const refused = (name: string, query = FIRST) =>
    golden.refusal("GET", `download?${query}&file-name=${name}`);
  match(await refused("none.blob"), /^404 .*none\.blob/);
  match(await refused("none.didx"), /^400 .*none\.didx/);
  match(await refused("owner"), /^400 /);
  match(await refused("..%2Fowner.blob"), /^400 /);
  match(await refused("index.json.blob", `${ALPHA}&backup-time=17`), /^400 .*does not exist/);
});

Deno.test("plain files are downloaded decoded; what is encrypted is refused", async () => {
  await using golden = await Golden.start();
  const kinds = new Set<string>();
  for (const snapshot of expectedDatastore().snapshots) {
    const call = `download-decoded?${parametersOf(snapshot)}&file-name=`;
    if (snapshot["crypt-mode"] === "encrypt") {
      const [index] = [...Object.keys(snapshot.images), ...Object.keys(snapshot.pxar)];
      const name = index!.split("+")[0];
      match(await golden.refusal("GET", `${call}${name}`), /^400 .*encrypted/i);
      kinds.add("encrypted");
      const catalog = `catalog?${parametersOf(snapshot)}&filepath=Lw==`;
      match(await golden.refusal("GET", catalog), /^40[04] .*(encrypted|catalog)/);
      const manifest = await golden.call("GET", `${call}index.json.blob`);
      equal(JSON.parse(manifest.text)["backup-type"], snapshot.snapshot.split("/")[0]);
      continue;
    }
    kinds.add(snapshot["crypt-mode"]);
    if (Object.hasOwn(snapshot.pxar, "root.pxar.didx")) {
      const catalog = `catalog?${parametersOf(snapshot)}&filepath=Lw==`;
      equal((await golden.call("GET", catalog)).status, 200, catalog);
    }
    for (
      const [name, { size, sha256 }] of Object.entries({ ...snapshot.blobs, ...snapshot.images })
    ) {
      const isImage = Object.hasOwn(snapshot.images, name);
      if (isImage && !hasChunks(readIndex(`${snapshotPath(snapshot)}/${name}`))) continue;
      const { status, bytes } = await golden.call("GET", `${call}${name}`);
      same([status, bytes.length, digestOf(bytes)], [200, size, sha256], `${call}${name}`);
      kinds.add(isImage ? "image" : "blob");
    }
  }
  for (const kind of ["blob", "encrypted", "none", "sign-only"]) ok(kinds.has(kind), kind);
  const first = `download-decoded?${FIRST}&file-name=`;
  const manifest = await golden.call("GET", `${first}index.json.blob`);
  equal(JSON.parse(manifest.text)["backup-id"], "alpha");
  match(await golden.refusal("GET", `${first}none.blob`), /^40[04] .*none\.blob/);
  // A snapshot that was read from may be removed: its lock was given back.
  equal((await golden.call("DELETE", `snapshots?${FIRST}`)).status, 200);
});

/** Plain text as clients send blobs. */
function blobOf(text: string): Uint8Array<ArrayBuffer> {
  const data = new TextEncoder().encode(text);
  const blob = new Uint8Array(12 + data.length);
  const [iv, tag] = [new Uint8Array(16), new Uint8Array(16)];
  const header = { isCompressed: false, isEncrypted: false, crc: crc32(data), iv, tag };
  encodeBlobHeader(header, blob, 0);
  blob.set(data, 12);
  return blob;
}

Deno.test("a log is stored once, whole, however many send one at a time", async () => {
  await using golden = await Golden.start();
  const upload = `upload-backup-log?${FIRST}`;
  const stored = `${golden.path}/host/alpha/2024-01-10T10:00:00Z/client.log.blob`;
  const wrong = blobOf("a log");
  wrong[14]! ^= 1;
  match(await golden.refusal("POST", upload, wrong), /^400 .*CRC/);
  match(await golden.refusal("POST", upload, new TextEncoder().encode("no blob at all")), /^400 /);
  match(
    await golden.refusal("POST", `upload-backup-log?${ALPHA}&backup-time=17`, blobOf("x")),
    /^40[04] /,
  );
  ok(!existsSync(stored));
  const blobs = Array.from({ length: 12 }, (_, index) => blobOf(`log ${index}`.repeat(5_000)));
  const replies = await Promise.all(blobs.map((blob) => golden.call("POST", upload, blob)));
  const taken = blobs.filter((_, index) => replies[index]!.status === 200);
  equal(taken.length, 1, replies.map(({ status, text }) => `${status} ${text}`).join("\n"));
  for (const { status, text } of replies) {
    if (status !== 200) equal(`${status} ${text.trim()}`, "400 backup already contains a log.");
  }
  same(Deno.readFileSync(stored), taken[0]);
  const files = await golden.data("GET", `files?${FIRST}`) as { filename: string }[];
  same(files.at(-1), { filename: "client.log.blob" });
  const name = "file-name=client.log.blob";
  same((await golden.call("GET", `download?${FIRST}&${name}`)).bytes, taken[0]);
});

Deno.test("prune answers what it keeps, oldest first, and removes the rest unless it is to try", async () => {
  await using golden = await Golden.start();
  const expected = TIMES.map((time, index) => ({
    "backup-id": "alpha",
    "backup-time": time,
    "backup-type": "host",
    keep: index > 0,
    protected: index === 1,
  }));
  const times = async () =>
    (await golden.data("GET", `snapshots?${ALPHA}`) as { "backup-time": number }[])
      .map((snapshot) => snapshot["backup-time"]).sort();
  const prune = `prune?${ALPHA}&keep-last=1`;
  if (existsSync(API)) {
    const recorded = JSON.parse(Deno.readTextFileSync(`${API}/prune-dry-run.json`)).data;
    same(expected, recorded);
  }
  same(await golden.data("POST", `${prune}&dry-run=1`), expected);
  same(await times(), TIMES);
  same(await golden.data("POST", prune), expected);
  same(await times(), TIMES.slice(1));
  ok(!existsSync(`${golden.path}/host/alpha/2024-01-10T10:00:00Z`));
  // Again: there is nothing more to do.
  same(await golden.data("POST", prune), expected.slice(1));
  match(await golden.refusal("POST", `prune?${ALPHA}&keep-last=-1`), /^400 .*keep-last/);
});

Deno.test("the status of a datastore counts its groups and tells of the last garbage collection", async () => {
  await using golden = await Golden.start();
  const status = async (query: string) =>
    await golden.data("GET", `status${query}`) as Record<string, unknown>;
  const { total, used, avail, ...none } = await status("");
  same(none, {});
  for (const bytes of [total, used, avail]) ok(Number.isSafeInteger(bytes) && Number(bytes) >= 0);
  const verbose = await status("?verbose=1");
  same(verbose["counts"], {
    ct: { groups: 1, snapshots: 1 },
    host: { groups: 6, snapshots: 12 },
    vm: { groups: 2, snapshots: 3 },
    other: null,
  });
  if (existsSync(API)) {
    const recorded = JSON.parse(Deno.readTextFileSync(`${API}/status-verbose.json`)).data;
    same(Object.keys(verbose).sort(), Object.keys(recorded).sort());
    same(verbose["gc-status"], recorded["gc-status"]);
  }
});
