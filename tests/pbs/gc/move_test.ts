import assert from "node:assert/strict";
import { sha256Of } from "#src/codecs/hashing.ts";
import { StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { parseNamespace } from "#src/pbs/format/snapshot_path.ts";
import { collectGarbage, type GcProgress } from "#src/pbs/gc/garbage_collection.ts";
import { ForeignLock } from "#tests/support/foreign_lock.ts";
import { BLOCK_SIZE, blockOf, makeStore } from "#tests/support/pbs_activity.ts";
import { RunningCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const TIME = 1_700_000_000;
const SNAPSHOT = "2023-11-14T22:13:20Z";
const OLD_SECONDS = 10 * 86_400;
const BLOCKS = [1, 2, 3];

/**
 * Snapshots of one old chunk each: `host/a` to `host/c` in the namespace `team`, and one chunk that
 * nothing needs.
 */
class Fixture implements Disposable {
  readonly #home = new TempDirectory("moves");
  readonly path = this.#home.join("store");
  readonly team = `${this.path}/ns/team`;
  readonly journal = this.#home.join("locks/main/move-journal");
  readonly store: Datastore;

  constructor(hasServer = false) {
    makeStore(this.path);
    if (hasServer) Deno.mkdirSync(this.#home.join("locks/main"), { recursive: true });
    this.store = Datastore.open(this.path, {
      access: "write",
      lockTimeoutMs: 100,
      syncLevel: "none",
      serverLocksPath: this.#home.join("locks"),
      ...(hasServer ? { serverStore: "main" } : {}),
    });
    const ns = parseNamespace("team");
    this.store.createNamespace(ns);
    for (const block of BLOCKS) {
      const group = { ns, type: "host", id: " abc"[block]! } as const;
      const writer = this.store.startSnapshot({ group, time: TIME });
      const image = writer.openFixed("disk.img.fidx", BLOCK_SIZE, BLOCK_SIZE);
      image.write(blockOf(block));
      image.finish();
      writer.finish();
      this.makeOld(this.chunkPath(block));
    }
    const unneeded = this.chunkPath(4);
    Deno.mkdirSync(unneeded.slice(0, unneeded.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(unneeded, "unneeded");
    this.makeOld(unneeded);
  }

  chunkPath(block: number): string {
    const name = sha256Of(blockOf(block)).toHex();
    return `${this.path}/.chunks/${name.slice(0, 4)}/${name}`;
  }

  makeOld(path: string): void {
    const time = Math.floor(Date.now() / 1000) - OLD_SECONDS;
    host.unwrap(host.utimensAt(host.At.FDCWD, path, time, 0, time, 0), "utimens", path);
  }

  /** Blocks whose chunks are there. */
  get kept(): number[] {
    return [...BLOCKS, 4].filter((block) => {
      const stat = new host.HostStat();
      return host.statAt(host.At.FDCWD, this.chunkPath(block), stat) === 0;
    });
  }

  /** Collects garbage; `act` runs once, before the first index is read. */
  collect(act: () => void = () => {}): void {
    let isFirst = true;
    const onProgress = ({ phase }: GcProgress) => {
      if (phase !== "mark" || !isFirst) return;
      isFirst = false;
      act();
    };
    collectGarbage(this.store, { checkAccessTimes: false, onProgress });
  }

  [Symbol.dispose](): void {
    this.store.close();
    this.#home[Symbol.dispose]();
  }
}

const MOVES: Readonly<Record<string, (fixture: Fixture) => void>> = {
  "a snapshot to another group": ({ team }) => {
    Deno.mkdirSync(`${team}/host/0`);
    Deno.renameSync(`${team}/host/c/${SNAPSHOT}`, `${team}/host/0/${SNAPSHOT}`);
  },
  "a group to another name": ({ team }) => {
    Deno.renameSync(`${team}/host/c`, `${team}/host/0`);
    Deno.renameSync(`${team}/host/a`, `${team}/host/z`);
  },
  "a group to the name of another one that goes elsewhere": ({ team }) => {
    Deno.renameSync(`${team}/host/a`, `${team}/host/x`);
    Deno.renameSync(`${team}/host/b`, `${team}/host/a`);
    Deno.renameSync(`${team}/host/x`, `${team}/host/b`);
  },
  "a group to the name of one that gets a new name": ({ team }) => {
    Deno.renameSync(`${team}/host/a`, `${team}/host/x`);
    Deno.renameSync(`${team}/host/b`, `${team}/host/a`);
    Deno.renameSync(`${team}/host/c`, `${team}/host/b`);
  },
  "groups to another type and namespace": ({ path, team }) => {
    Deno.mkdirSync(`${path}/vm`);
    Deno.renameSync(`${team}/host/a`, `${path}/vm/a`);
    Deno.renameSync(`${team}/host/b`, `${path}/host`);
  },
  "a namespace to another name": ({ path, team }) => {
    Deno.renameSync(team, `${path}/ns/other`);
  },
  "an index to another snapshot": ({ team }) => {
    Deno.renameSync(
      `${team}/host/c/${SNAPSHOT}/disk.img.fidx`,
      `${team}/host/a/${SNAPSHOT}/other.img.fidx`,
    );
  },
};

for (const [what, move] of Object.entries(MOVES)) {
  Deno.test(`collectGarbage keeps the chunks of what is moved before it is marked: ${what}`, () => {
    using fixture = new Fixture();
    fixture.collect(() => move(fixture));
    assert.deepEqual(fixture.kept, BLOCKS);
  });
}

Deno.test("collectGarbage keeps the chunks of what is moved again and again, or gives up", async () => {
  using fixture = new Fixture();
  const { team } = fixture;
  Deno.mkdirSync(`${team}/host/0`);
  const script =
    `while :; do mv "$0/host/c/$1" "$0/host/0/" && mv "$0/host/0/$1" "$0/host/c/"; done`;
  const mover = new RunningCommand(["sh", "-c", script, team, SNAPSHOT]);
  try {
    for (let round = 0; round < 30; round++) {
      BLOCKS.forEach((block) => fixture.makeOld(fixture.chunkPath(block)));
      try {
        fixture.collect();
      } catch (error) {
        if (!(error instanceof StateError && error.code === "busy")) throw error;
      }
      assert.deepEqual(fixture.kept.filter((block) => block !== 4), BLOCKS);
    }
  } finally {
    mover.signalGroup("SIGKILL");
    await mover.ended;
  }
  fixture.collect();
  assert.deepEqual(fixture.kept, BLOCKS);
});

Deno.test("collectGarbage marks what a server's journal names, and empties it", () => {
  using fixture = new Fixture(true);
  const { path, team, journal } = fixture;
  // Where no listing finds it.
  Deno.mkdirSync(`${path}/.elsewhere`);
  Deno.renameSync(`${team}/host/c/${SNAPSHOT}`, `${path}/.elsewhere/${SNAPSHOT}`);
  const lines = [
    `${path}/.elsewhere/${SNAPSHOT}/disk.img.fidx`,
    "/no/such/place/disk.img.fidx",
    "relative/disk.img.fidx",
    "/etc/hostname",
    "\xff\0",
  ];
  Deno.writeTextFileSync(journal, lines.join("\n") + "\n");
  fixture.collect();
  assert.deepEqual(fixture.kept, BLOCKS);
  assert.equal(Deno.statSync(journal).size, 0);
  BLOCKS.forEach((block) => fixture.makeOld(fixture.chunkPath(block)));
  fixture.collect();
  assert.deepEqual(fixture.kept, [1, 2], "what it named is known once");
});

Deno.test("collectGarbage looks again for what a server moved before it locked the journal", () => {
  using fixture = new Fixture(true);
  fixture.collect(() => {
    MOVES["a group to another name"]!(fixture);
    Deno.writeTextFileSync(fixture.journal, `/in/its/container/host/0/${SNAPSHOT}/disk.img.fidx\n`);
  });
  assert.deepEqual(fixture.kept, BLOCKS);
});

Deno.test("collectGarbage removes nothing while a server moves something", async () => {
  using fixture = new Fixture(true);
  const { journal } = fixture;
  Deno.writeTextFileSync(journal, "/some/disk.img.fidx\n");
  const lock = await ForeignLock.take("flock", "exclusive", journal);
  assert.throws(() => fixture.collect(), {
    name: "StateError",
    code: "locked",
    message: /journal/,
  });
  assert.deepEqual(fixture.kept, [...BLOCKS, 4]);
  assert.notEqual(Deno.statSync(journal).size, 0);
  await lock.release();
  fixture.collect();
  assert.deepEqual(fixture.kept, BLOCKS);
  assert.ok(await ForeignLock.canTake("flock", "exclusive", journal));
});

Deno.test("collectGarbage leaves the journal when an index in it cannot be read", () => {
  using fixture = new Fixture(true);
  const { path, journal } = fixture;
  Deno.mkdirSync(`${path}/.elsewhere`);
  Deno.writeTextFileSync(`${path}/.elsewhere/bad.didx`, "no index");
  Deno.writeTextFileSync(journal, `${path}/.elsewhere/bad.didx\n`);
  assert.throws(() => fixture.collect(), { name: "FormatError" });
  assert.deepEqual(fixture.kept, [...BLOCKS, 4]);
  assert.notEqual(Deno.statSync(journal).size, 0);
});
