/** The client's network thread and the server's sessions, with nothing between them. */

import assert from "node:assert/strict";
import { backup, parseBackupSpec } from "#src/backup/mod.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { NetworkLink } from "#src/pbs/client/network_link.ts";
import { createNetworkMailbox } from "#src/pbs/client/network_mailbox.ts";
import { RemoteStore } from "#src/pbs/client/remote_store.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import type { CryptMode } from "#src/pbs/format/crypt.ts";
import { type GroupId, ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { uploadStatisticsOf } from "#src/pbs/format/manifest.ts";
import { isIndexName } from "#src/pbs/reading/index_scan.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { verifyStore } from "#src/pbs/verify/verify_store.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const GROUP: GroupId = { ns: ROOT_NAMESPACE, type: "host", id: "elsa" };
const TIME = 1_704_880_800;
const KEY = new Uint8Array(32).fill(3);

/** A store on a server, and the directory that it is in. */
class ServedNetwork implements Disposable {
  readonly place = new TempDirectory("served");
  readonly path = this.place.join("store");
  readonly #link: NetworkLink;
  readonly #thread: Worker;

  constructor() {
    Deno.mkdirSync(`${this.path}/.chunks`, { recursive: true });
    const mailbox = createNetworkMailbox();
    const url = new URL("./served_network_worker.ts", import.meta.url);
    this.#thread = new Worker(url, { type: "module" });
    this.#thread.postMessage({ mailbox, server: { path: this.path } });
    this.#link = new NetworkLink(mailbox);
  }

  open(access: "read" | "write"): RemoteStore {
    return new RemoteStore({
      link: this.#link,
      name: "tester@pbs@served:8007:main",
      store: "main",
      authId: "tester@pbs",
      access,
    });
  }

  /** The same store, looked at from the other side. */
  get local(): Datastore {
    return Datastore.open(this.path, { access: "write", lockTimeoutMs: 0 });
  }

  [Symbol.dispose](): void {
    this.#link.stop();
    this.#thread.terminate();
    this.place[Symbol.dispose]();
  }
}

function digestOfAll(source: ByteSource): string {
  const buffer = allocateNativeBuffer(source.size);
  assert.equal(source.readAt(buffer, 0, source.size, 0), source.size);
  source.close();
  return sha256Of(buffer.bytes).toHex();
}

const MODES = ["legacy", "data", "metadata"] as const;
const CRYPT_MODES: readonly CryptMode[] = ["none", "encrypt", "sign-only"];

for (const mode of MODES) {
  for (const cryptMode of CRYPT_MODES) {
    Deno.test(`client and server: backups in mode ${mode}, ${cryptMode}, are restored as they were`, () => {
      using network = new ServedNetwork();
      const { place } = network;
      Deno.mkdirSync(place.join("tree/sub"), { recursive: true });
      Deno.writeFileSync(place.join("tree/large"), new Random(1).bytes(3_000_000));
      Deno.writeTextFileSync(place.join("tree/sub/small"), "small");
      const part = new Random(2).bytes(4 << 20);
      Deno.writeFileSync(place.join("disk"), part);
      Deno.writeFileSync(place.join("disk"), part.subarray(0, 100_000), { append: true });
      const specs = [`root.pxar:${place.join("tree")}`, `d.img:${place.join("disk")}`];
      const crypt = cryptMode === "none" ? undefined : new CryptConfig(KEY);
      const backUp = (time: number) => {
        const store = network.open("write");
        const writer = store.startSnapshot({ group: GROUP, time, crypt, cryptMode });
        backup(writer, specs.map((spec) => parseBackupSpec(spec)), { mode });
        store.close();
      };
      backUp(TIME);
      Deno.writeTextFileSync(place.join("tree/new"), "new");
      backUp(TIME + 10);

      const local = network.local;
      const report = verifyStore(local, { kind: "namespace" }, { crypts: crypt && [crypt] });
      assert.deepEqual(report.snapshots.flatMap(({ faults }) => faults), []);
      assert.equal(report.snapshots.length, 2);
      const second = local.manifest({ group: GROUP, time: TIME + 10 });
      // Nothing of the image is sent again.
      assert.ok(uploadStatisticsOf(second)!.size < 4_000_000);
      for (const time of [TIME, TIME + 10]) {
        const remote = network.open("read").openSnapshot({ group: GROUP, time }, { crypt });
        const here = local.openSnapshot({ group: GROUP, time }, { crypt });
        const indexes = here.manifest.files.filter(({ filename }) => isIndexName(filename));
        assert.ok(indexes.length >= 3);
        for (const { filename } of indexes) {
          const [a, b] = [remote, here].map((reader) => digestOfAll(reader.openArchive(filename)));
          assert.equal(a, b, filename);
        }
        remote.close();
        here.close();
      }
      local.close();
    });
  }
}

Deno.test("client and server: a backup that is given up leaves nothing, and locks nobody out", () => {
  using network = new ServedNetwork();
  const store = network.open("write");
  const writer = store.startSnapshot({ group: GROUP, time: TIME });
  writer.addBlob("a.blob", new Uint8Array(100));
  assert.throws(() => store.startSnapshot({ group: GROUP, time: TIME + 1 }), { code: "locked" });
  writer.abort();
  const next = store.startSnapshot({ group: GROUP, time: TIME });
  next.addBlob("a.blob", new Uint8Array(100));
  next.finish();
  assert.throws(() => store.startSnapshot({ group: GROUP, time: TIME }), { code: "exists" });
  const local = network.local;
  assert.deepEqual(local.snapshots(GROUP), [{ group: GROUP, time: TIME }]);
  local.close();
});
