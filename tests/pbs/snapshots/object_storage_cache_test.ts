import assert from "node:assert/strict";
import { Datastore } from "#src/pbs/datastore.ts";
import type { DatastoreOptions } from "#src/pbs/storage/directory/directory_options.ts";
import type { SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import { collectGarbage } from "#src/pbs/gc/garbage_collection.ts";
import { verifyStore } from "#src/pbs/verify/verify_store.ts";
import { BLOCK_SIZE, blockOf, groupOf, makeStore } from "#tests/support/pbs_activity.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const REFUSED = { name: "StateError", code: "object-storage" };
const BLOCK_COUNT = 8;

class Fixture implements Disposable {
  readonly #home = new TempDirectory("cache");
  readonly path = this.#home.join("store");
  readonly config = this.#home.join("datastore.cfg");
  readonly snapshot: SnapshotId;

  constructor() {
    makeStore(this.path);
    const store = this.open("write");
    const writer = store.startSnapshot({ group: groupOf("a"), time: 1_700_000_000 });
    const image = writer.openFixed("disk.img.fidx", BLOCK_COUNT * BLOCK_SIZE, BLOCK_SIZE);
    for (let block = 0; block < BLOCK_COUNT; block++) image.write(blockOf(block));
    image.finish();
    this.snapshot = writer.finish().id;
    store.close();
  }

  open(access: "read" | "write", options: DatastoreOptions = {}): Datastore {
    const places = { serverConfigPath: this.config, serverLocksPath: this.#home.join("locks") };
    return Datastore.open(this.path, { access, syncLevel: "none", ...places, ...options });
  }

  /** Files of chunks, whatever their names have become. */
  chunkFiles(): string[] {
    const chunks = `${this.path}/.chunks`;
    return [...Deno.readDirSync(chunks)].flatMap(({ name }) =>
      [...Deno.readDirSync(`${chunks}/${name}`)].map((file) => `${chunks}/${name}/${file.name}`)
    );
  }

  [Symbol.dispose](): void {
    this.#home[Symbol.dispose]();
  }
}

Deno.test("A server's cache of a datastore on object storage is read only, and nothing is judged by it", () => {
  using fixture = new Fixture();
  const text = `datastore: cloud\n\tbackend bucket=b,client=c,type=s3\n\tpath ${fixture.path}\n`;
  Deno.writeTextFileSync(fixture.config, text);
  assert.throws(() => fixture.open("write"), REFUSED);
  const store = fixture.open("read");
  assert.throws(() => verifyStore(store), REFUSED);
  assert.throws(() => store.planPrune(groupOf("a"), { last: 1 }), REFUSED);
  store.openSnapshot(fixture.snapshot).close();
  store.close();
});

Deno.test("A cache is known by the chunks that are evicted, which are not corrupt", () => {
  using fixture = new Fixture();
  const before = fixture.chunkFiles();
  for (const path of before.slice(0, 2)) Deno.truncateSync(path);
  const store = fixture.open("write");
  assert.throws(() => verifyStore(store), REFUSED);
  assert.throws(() => collectGarbage(store, { checkAccessTimes: false }), REFUSED);
  assert.throws(() => store.planPrune(groupOf("a"), { last: 1 }), REFUSED);
  const reader = store.openSnapshot(fixture.snapshot);
  const source = reader.openArchive("disk.img.fidx");
  const failures = Array.from({ length: BLOCK_COUNT }, (_, block) => {
    const bytes = new Uint8Array(BLOCK_SIZE);
    try {
      source.readAt({ bytes, address: 0n }, 0, BLOCK_SIZE, block * BLOCK_SIZE);
      return undefined;
    } catch (error) {
      return String(error);
    }
  }).filter((failure) => failure !== undefined);
  assert.equal(failures.length, 2);
  for (const failure of failures) assert.match(failure, /it is empty/);
  reader.close();
  store.close();
  assert.deepEqual(fixture.chunkFiles(), before);
});
