/**
 * Mistakes that were seen in a program of the same purpose, one test each: wrong lengths, missing
 * files, lost pages.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { MountPlace, pbkfsCommand } from "#tests/support/pbkfs.ts";
import {
  pgprobackupFixture,
  pgprobackupFixtureNames,
} from "#tests/support/pgprobackup_fixtures.ts";
import { runCommand, waitUntil } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { type ManifestEntry, parseManifest } from "#tests/support/tree_manifest.ts";

const PAGE = 8192;
/** The chain of the sample catalog: FULL, DELTA (relations were truncated), PAGE, DELTA. */
const SHRUNK_ID = "TOTXO5";
const LAST_ID = "TOTXQL";
/** pgbench_accounts. */
const ACCOUNTS = "base/5/16396";

async function sample(name = "a-stream-none") {
  const fixture = await pgprobackupFixture(name);
  assert.ok(fixture);
  const manifest = (id: string): ManifestEntry[] =>
    parseManifest(Deno.readTextFileSync(`${fixture.expected}/manifest-${id}.jsonl`));
  return { store: fixture.catalog, manifest };
}

/** Runs `body` on a fresh mount of a backup. */
async function mounted(
  backupId: string,
  body: (place: MountPlace, store: string) => Promise<void> | void,
  options: readonly string[] = [],
): Promise<void> {
  const { store } = await sample();
  await using place = new MountPlace("mistake");
  await place.mount({ store, instance: "main", backupId, options });
  await body(place, store);
  await place.unmount();
}

function sizeOf(place: MountPlace, path: string): number {
  return Deno.statSync(`${place.root}/${path}`).size;
}

/** Changes one file in place. */
function edit(path: string, change: (file: Deno.FsFile) => void): void {
  const file = Deno.openSync(path, { read: true, write: true });
  try {
    change(file);
    file.syncSync();
  } finally {
    file.close();
  }
}

function writeAt(file: Deno.FsFile, offset: number, bytes: Uint8Array): void {
  file.seekSync(offset, Deno.SeekMode.Start);
  assert.equal(file.writeSync(bytes), bytes.length);
}

/** Reads past the kernel's page cache. */
async function readDirect(path: string): Promise<Buffer> {
  using home = new TempDirectory("direct");
  const copy = home.join("copy");
  const command = ["dd", `if=${path}`, `of=${copy}`, "iflag=direct", "bs=1M", "status=none"];
  await runCommand(command, { timeoutMs: 60_000 });
  return Buffer.from(Deno.readFileSync(copy));
}

async function remount(place: MountPlace, store: string): Promise<void> {
  await place.unmount();
  await place.mount({ store });
}

Deno.test("mount shows truncated relations with their new length", async () => {
  await mounted(SHRUNK_ID, (place) => {
    assert.equal(sizeOf(place, "base/5/16504"), 100 * PAGE);
    assert.equal(sizeOf(place, "base/5/16510"), 0);
  });
});

Deno.test("mount shows files of length zero that the catalog does not store", async () => {
  const { manifest } = await sample();
  const empty = manifest(LAST_ID).filter(({ type, size }) => type === "file" && size === 0);
  assert.ok(empty.some(({ path }) => path.endsWith("_init")));
  await mounted(LAST_ID, (place) => {
    for (const { path } of empty) assert.equal(sizeOf(place, path), 0, path);
  });
});

Deno.test({
  name: "mount shows tablespaces as links and no tablespace_map",
  ignore: !pgprobackupFixtureNames().includes("f-tablespace-external"),
  fn: async () => {
    const { store } = await sample("f-tablespace-external");
    await using place = new MountPlace("mistake");
    await place.mount({ store, instance: "main", backupId: "TOTXTQ" });
    const names = [...Deno.readDirSync(place.root)].map(({ name }) => name);
    assert.ok(!names.includes("tablespace_map") && !names.includes("database_map"));
    const links = [...Deno.readDirSync(`${place.root}/pg_tblspc`)];
    assert.equal(links.length, 2);
    for (const { name, isSymlink } of links) {
      assert.ok(isSymlink);
      assert.ok(Deno.statSync(`${place.root}/pg_tblspc/${name}/`).isDirectory);
    }
    await place.unmount();
  },
});

Deno.test("mount shows whole files with the length of the mounted backup, not of its parents", async () => {
  const { manifest } = await sample();
  const maps = manifest(SHRUNK_ID).filter(({ path }) => /_(fsm|vm)$/.test(path));
  assert.ok(maps.some(({ path, size }) => path === "base/5/16510_fsm" && size === 2 * PAGE));
  await mounted(SHRUNK_ID, (place) => {
    for (const { path, size } of maps) assert.equal(sizeOf(place, path), size, path);
  });
});

Deno.test("mount shows no files of its own between those that were changed", async () => {
  await mounted(LAST_ID, async (place, store) => {
    const names = () =>
      [...Deno.readDirSync(`${place.root}/base/5`)].map(({ name }) => name).sort();
    const before = names();
    edit(`${place.root}/${ACCOUNTS}`, (file) => writeAt(file, 3 * PAGE, new Uint8Array(PAGE)));
    edit(`${place.root}/base/5/PG_VERSION`, (file) => writeAt(file, 0, new Uint8Array([0x31])));
    Deno.writeTextFileSync(`${place.root}/base/5/made`, "x");
    Deno.removeSync(`${place.root}/base/5/made`);
    assert.deepEqual(names(), before);
    await remount(place, store);
    assert.deepEqual(names(), before);
  });
});

Deno.test("mount gives the root and all files the modes of the backup", async () => {
  const { manifest } = await sample();
  await mounted(LAST_ID, (place) => {
    assert.equal(Deno.statSync(place.root).mode! & 0o7777, 0o700);
    for (const { path, type, size } of manifest(LAST_ID)) {
      if (type !== "file" || size !== 0 || path.endsWith(".signal")) continue;
      assert.equal(Deno.statSync(`${place.root}/${path}`).mode! & 0o7777, 0o600, path);
    }
  });
});

Deno.test("mount reads pages of zeros beyond the old end back, past the page cache too", async () => {
  await mounted(LAST_ID, async (place, store) => {
    const path = `${place.root}/${ACCOUNTS}`;
    const before = Deno.readFileSync(path);
    edit(path, (file) => writeAt(file, before.length, new Uint8Array(3 * PAGE)));
    const expected = Buffer.concat([before, new Uint8Array(3 * PAGE)]);
    assert.ok(expected.equals(await readDirect(path)));
    await remount(place, store);
    assert.ok(expected.equals(await readDirect(path)));
  });
});

Deno.test("mount keeps all changed pages when the last of them goes back to nearly its old content", async () => {
  await mounted(LAST_ID, async (place, store) => {
    const path = `${place.root}/${ACCOUNTS}`;
    const before = Buffer.from(Deno.readFileSync(path));
    const blocks = [0, 7, 8, 500, before.length / PAGE - 1];
    const expected = Buffer.from(before);
    edit(path, (file) => {
      for (const block of blocks) {
        const page = crypto.getRandomValues(new Uint8Array(PAGE));
        expected.set(page, block * PAGE);
        writeAt(file, block * PAGE, page);
      }
    });
    edit(path, (file) => {
      for (const block of blocks.slice(1).reverse()) {
        const page = Uint8Array.from(before.subarray(block * PAGE, (block + 1) * PAGE));
        page[50]! ^= 1;
        expected.set(page, block * PAGE);
        writeAt(file, block * PAGE, page);
      }
    });
    assert.ok(expected.equals(await readDirect(path)));
    await remount(place, store);
    assert.ok(expected.equals(Deno.readFileSync(path)));
  });
});

Deno.test("mount truncates relations at once, and what grows again is zeros", async () => {
  await mounted(LAST_ID, async (place, store) => {
    const path = `${place.root}/${ACCOUNTS}`;
    const head = Deno.readFileSync(path).subarray(0, 10 * PAGE);
    Deno.truncateSync(path, 10 * PAGE);
    assert.equal(sizeOf(place, ACCOUNTS), 10 * PAGE);
    Deno.truncateSync(path, 12 * PAGE);
    const expected = Buffer.concat([head, new Uint8Array(2 * PAGE)]);
    assert.ok(expected.equals(await readDirect(path)));
    Deno.truncateSync(path, 0);
    assert.equal(sizeOf(place, ACCOUNTS), 0);
    Deno.truncateSync(path, PAGE);
    await remount(place, store);
    assert.deepEqual(Deno.readFileSync(path), new Uint8Array(PAGE));
  });
});

Deno.test("mount renames a directory of the backup with all that is in it", async () => {
  await mounted(LAST_ID, async (place, store) => {
    const [from, to] = [`${place.root}/base/5`, `${place.root}/base/renamed`];
    const names = [...Deno.readDirSync(from)].map(({ name }) => name).sort();
    const content = Deno.readFileSync(`${place.root}/${ACCOUNTS}`);
    Deno.renameSync(from, to);
    const check = () => {
      assert.throws(() => Deno.statSync(from), Deno.errors.NotFound);
      assert.deepEqual([...Deno.readDirSync(to)].map(({ name }) => name).sort(), names);
      assert.ok(Buffer.from(content).equals(Deno.readFileSync(`${to}/16396`)));
    };
    check();
    await remount(place, store);
    check();
  });
});

Deno.test("mount writes nothing into the diff when it is looked at", async () => {
  await mounted(LAST_ID, async (place) => {
    const names = () => [...Deno.readDirSync(`${place.diff}/data`)].map(({ name }) => name).sort();
    const before = names();
    const look = ["sh", "-c", 'ls -lR "$0" >/dev/null && cat "$0"/base/*/* >/dev/null', place.root];
    await runCommand(look, { timeoutMs: 60_000 });
    assert.deepEqual(names(), before);
  });
});

Deno.test("mount does not succeed when the time is over", async () => {
  const { store } = await sample();
  await using place = new MountPlace("mistake");
  const args = [
    "mount",
    "-B",
    store,
    "-I",
    "main",
    "-i",
    LAST_ID,
    "-D",
    place.root,
    "-d",
    place.diff,
  ];
  const { code, stderr } = await runCommand(pbkfsCommand([...args, "--timeout", "0.001"]), {
    timeoutMs: 60_000,
    check: false,
  });
  assert.equal(code, 1);
  assert.match(stderr, /^pbkfs error: mount still in progress/);
  // The worker goes on.
  const answers = () => place.statistics().then(() => true, () => false);
  await waitUntil(answers, 10_000, () => "the mount to answer");
  await place.unmount();
});

Deno.test("mount decodes pages by the algorithm of the file, not of the backup", async () => {
  const { store, manifest } = await sample("c-stream-pglz");
  using home = new TempDirectory("mistake");
  const copy = home.join("catalog");
  await runCommand(["cp", "-r", store, copy], { timeoutMs: 60_000 });
  for (const { name } of Deno.readDirSync(`${copy}/backups/main`)) {
    const control = `${copy}/backups/main/${name}/backup.control`;
    if (name === "pg_probackup.conf") continue;
    const text = Deno.readTextFileSync(control);
    Deno.writeTextFileSync(control, text.replace("compress-alg = pglz", "compress-alg = zlib"));
  }
  await using place = new MountPlace("mistake");
  await place.mount({ store: copy, instance: "main", backupId: "TOTXR5" });
  const wanted = manifest("TOTXR5").find(({ path }) => path === ACCOUNTS)!;
  const content = Deno.readFileSync(`${place.root}/${ACCOUNTS}`);
  const digest = await crypto.subtle.digest("SHA-256", content);
  assert.equal(new Uint8Array(digest).toHex(), wanted.sha256);
  await place.unmount();
});
