import assert from "node:assert/strict";
import type { ChangeDetectionMode } from "#src/backup/mod.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { type GroupId, ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { openSource, type Source } from "#src/sources/mod.ts";
import { diffTrees } from "#src/transfer/mod.ts";
import type { BackupCrypt, FinishedBackup } from "#src/usecases/datastore/backup.ts";
import { copyIntoArchive, copyIntoStore, type SnapshotCopy } from "#src/usecases/copying/copy.ts";
import { parseCopyTarget } from "#src/usecases/copying/copy_target.ts";
import { EXAMPLES, openExample } from "#tests/sources/_examples.ts";
import { fixtureBackupIds, pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const GROUP: GroupId = { ns: ROOT_NAMESPACE, type: "host", id: "copy" };
const PLAIN: BackupCrypt = { mode: "none", crypt: undefined, encryptedKey: undefined };
const CRYPT = new CryptConfig(new Uint8Array(32).fill(5));
const SEALED: BackupCrypt = { mode: "encrypt", crypt: CRYPT, encryptedKey: undefined };
const IGNORED = {
  onArchive() {},
  onEntry() {},
  onProgress() {},
  onProblem() {},
  onWarning(_kind: string, message: string) {
    throw new Error(message);
  },
};

function makeStore(path: string): string {
  Deno.mkdirSync(`${path}/.chunks`, { recursive: true });
  return path;
}

/** Copies a source into a datastore, as its last snapshot. */
function copy(
  source: Source,
  path: string,
  options: Partial<SnapshotCopy> & { readonly keys?: BackupCrypt } = {},
): FinishedBackup {
  const store = Datastore.open(path, { access: "write", syncLevel: "none" });
  try {
    const { keys = PLAIN, ...rest } = options;
    const target = { store, repository: { kind: "directory", path } as const, keys };
    return copyIntoStore(source, target, {
      target: { group: GROUP, time: undefined, archive: undefined },
      exclude: [],
      mode: undefined,
      chunkSize: 64 << 10,
      workers: 0,
      owner: undefined,
      ...rest,
    }, IGNORED);
  } finally {
    store.close();
  }
}

function openCopy(path: string, key?: Uint8Array): Promise<Source> {
  return openSource(`${path}#host/copy/latest/root.pxar`, {
    credentials: { encryptionKey: () => Promise.resolve(key) },
  });
}

function assertSame(left: Source, right: Source): void {
  const [one, other] = [left.openTree(), right.openTree()];
  const found = [...diffTrees(one, other)].map(({ type, path }) => `${type} ${path}`);
  one.close();
  other.close();
  assert.deepEqual(found, []);
}

const STORES: readonly [string, ChangeDetectionMode | undefined, BackupCrypt][] = [
  ["a snapshot", undefined, PLAIN],
  ["a snapshot of one stream", "legacy", PLAIN],
  ["an encrypted snapshot", "data", SEALED],
];

for (const example of EXAMPLES) {
  Deno.test(`A copy is equal to ${example.title}`, async (t) => {
    using place = new TempDirectory("copy");
    await example.make(place.path, 1);
    using source = await openExample(example.name.replace(/^(pbs:|diff:)?/u, `$1${place.path}/`));
    for (const [title, mode, keys] of STORES) {
      await t.step(title, async () => {
        const path = makeStore(place.join(`target ${title}`));
        const { id, report } = copy(source, path, { mode, keys });
        const { time } = source.summary;
        if (time !== null && example.kind !== "diff") {
          assert.equal(id.time, Math.floor(Date.parse(time) / 1000));
        }
        assert.equal(report.isPartial, false);
        using target = await openCopy(path, keys.crypt?.key);
        assertSame(source, target);
      });
    }
    for (const name of ["x.copy.pxar", "x.copy.mpxar"]) {
      await t.step(name, async () => {
        const request = { path: place.join(name), exclude: [] };
        copyIntoArchive(source, request);
        using target = await openSource(place.join(name));
        assertSame(source, target);
        assert.throws(() => copyIntoArchive(source, request), { name: "OsError" });
      });
    }
  });
}

Deno.test("A copy of a snapshot of the same datastore reads no contents", async () => {
  using place = new TempDirectory("copy");
  const tree = place.join("tree");
  makeFiles(tree);
  const path = makeStore(place.join("store"));
  using directory = await openSource(tree);
  const first = copy(directory, path).report;
  assert.ok(first.snapshot!.newChunkCount > 8);
  using stored = await openCopy(path);
  const target = { group: { ...GROUP, id: "again" }, time: undefined, archive: undefined };
  const { archives, snapshot } = copy(stored, path, { target }).report;
  assert.deepEqual(
    [archives[0]!.reuse!.readFileCount, archives[0]!.reuse!.reusedFileCount],
    [0, first.archives[0]!.build!.counts.file],
  );
  // The metadata, and the two markers around the contents.
  assert.ok(snapshot!.newChunkCount <= 3, `${snapshot!.newChunkCount}`);
  using again = await openSource(`${path}#host/again/latest/root.pxar`);
  assertSame(stored, again);
});

Deno.test("A copy with another key, or into another datastore, reads and stores everything", async () => {
  using place = new TempDirectory("copy");
  makeFiles(place.join("tree"));
  const path = makeStore(place.join("store"));
  using directory = await openSource(place.join("tree"));
  copy(directory, path);
  using stored = await openCopy(path);
  const target = { group: { ...GROUP, id: "again" }, time: undefined, archive: undefined };
  const sealed = copy(stored, path, { target, keys: SEALED }).report.archives[0]!;
  assert.deepEqual([sealed.reuse, sealed.newBytes], [undefined, sealed.size]);
  const other = copy(stored, makeStore(place.join("other"))).report.archives[0]!;
  assert.deepEqual([other.reuse, other.newBytes], [undefined, other.size]);
});

Deno.test("A copy leaves out what patterns exclude, and nothing that files in the source name", async () => {
  using place = new TempDirectory("copy");
  const tree = place.join("tree");
  makeFiles(tree);
  Deno.writeTextFileSync(`${tree}/.pxarexclude`, "d0\n");
  const path = makeStore(place.join("store"));
  using directory = await openSource(tree);
  const { report } = copy(directory, path, { exclude: ["d1/", "!/d1", "f?2", "/d2/f0*"] });
  using copied = await openCopy(path);
  const names = (name: string) => [...Deno.readDirSync(`${tree}/${name}`)].map(({ name }) => name);
  const expected = [".pxarexclude", "d0", "d1", "d2", "d3"].flatMap((name) => {
    const inside = name.startsWith(".") ? [] : names(name);
    return [
      name,
      ...inside.filter((file) => !/^f.2$/u.test(file) && !(name === "d2" && /^f0/u.test(file)))
        .map((file) => `${name}/${file}`),
    ];
  });
  const opened = copied.openTree();
  const found = [...opened.root.entries()].flatMap(({ name, node }) => [
    name,
    ...(node.kind === "directory" ? [...node.entries()].map((each) => `${name}/${each.name}`) : []),
  ]);
  opened.close();
  assert.deepEqual(found.sort(), expected.sort());
  assert.equal(report.archives[0]!.build!.excludedCount, 17);
});

/** Directories d0 to d3 of 200 files each, 4 MiB. */
function makeFiles(path: string): void {
  let state = 1;
  for (let directory = 0; directory < 4; directory++) {
    Deno.mkdirSync(`${path}/d${directory}`, { recursive: true });
    for (let file = 0; file < 20; file++) {
      const bytes = new Uint8Array(8192 * (1 + file % 13)).map(() => {
        state = Math.imul(state, 1_103_515_245) + 12_345 | 0;
        return state >>> 16;
      });
      const name = `f${String(file).padStart(2, "0")}`;
      Deno.writeFileSync(`${path}/d${directory}/${name}`, bytes);
    }
  }
}

for (const name of ["a-stream-none", "c-stream-pglz"]) {
  Deno.test(`Copies of a chain share what did not change: ${name}`, async () => {
    const fixture = (await pgprobackupFixture(name))!;
    using place = new TempDirectory("copy");
    const path = makeStore(place.join("store"));
    let isFirst = true;
    for (const id of fixtureBackupIds(fixture)) {
      using source = await openSource(`${fixture.catalog}#main/${id}`);
      const { report } = copy(source, path);
      using copied = await openCopy(path);
      assertSame(source, copied);
      const [{ reuse, size, newBytes }] = report.archives as [(typeof report.archives)[0]];
      if (!isFirst) {
        // Files of template databases, and what no transaction touched.
        assert.ok(reuse!.reusedFileCount > 300, `${id}: ${reuse!.reusedFileCount} files`);
        assert.ok(newBytes < size / 2, `${id}: ${newBytes} of ${size} bytes`);
      }
      isFirst = false;
    }
  });
}

Deno.test("A snapshot of a later second refuses to go before it, and says how", async () => {
  using place = new TempDirectory("copy");
  makeFiles(place.join("tree"));
  const path = makeStore(place.join("store"));
  using directory = await openSource(place.join("tree"));
  copy(directory, path);
  using stored = await openCopy(path);
  assert.throws(() => copy(stored, path), { name: "StateError", code: "exists", option: "time" });
});

Deno.test("parseCopyTarget() reads what people write, and refuses what is no target", () => {
  const group = { ns: ROOT_NAMESPACE, type: "host", id: "db1" };
  const local = { kind: "snapshot", repository: { kind: "directory", path: "/s" } };
  const nothing = { time: undefined, archive: undefined };
  assert.deepEqual(parseCopyTarget("/s#host/db1"), { ...local, group, ...nothing });
  assert.deepEqual(parseCopyTarget("dir:/s#host/db1"), { ...local, group, ...nothing });
  assert.deepEqual(parseCopyTarget("pbs:dir:/s#team/host/db1/pg.pxar"), {
    ...local,
    group: { ...group, ns: "team" },
    time: undefined,
    archive: "pg.pxar",
  });
  assert.deepEqual(parseCopyTarget("/s#host/host/vm/2023-11-14T22:13:20Z/a.pxar"), {
    ...local,
    group: { ns: "host", type: "host", id: "vm" },
    time: 1_700_000_000,
    archive: "a.pxar",
  });
  const remote = parseCopyTarget("pbs://me@pbs@backup.example:8008/main#host/db1");
  assert.ok(remote.kind === "snapshot" && remote.repository.kind === "server");
  assert.deepEqual([remote.repository.host, remote.repository.port, remote.repository.store], [
    "backup.example",
    8008,
    "main",
  ]);
  assert.deepEqual(parseCopyTarget("/a/x.mpxar"), { kind: "archive", path: "/a/x.mpxar" });
  assert.deepEqual(parseCopyTarget("pxar:/a/x"), { kind: "archive", path: "/a/x" });
  for (
    const text of [
      "/some/directory",
      "dir:/some/directory",
      "/backups#main/latest",
      "/s#host",
      "/s#host/db1/latest",
      "/s#host/db1/disk.img",
      "/s#host/db1/a.pxar/b",
      "pgpro:/s#host/db1",
      "/a/x.pxar#host/",
    ]
  ) assert.throws(() => parseCopyTarget(text), { name: "UsageError" }, text);
});

Deno.test("A copy that fails half way leaves neither archive nor snapshot", async () => {
  using place = new TempDirectory("copy");
  makeFiles(place.join("tree"));
  const from = makeStore(place.join("from"));
  using directory = await openSource(place.join("tree"));
  copy(directory, from);
  const chunks = [...Deno.readDirSync(`${from}/.chunks`)].flatMap(({ name }) =>
    [...Deno.readDirSync(`${from}/.chunks/${name}`)].map((file) =>
      `${from}/.chunks/${name}/${file.name}`
    )
  );
  using stored = await openCopy(from);
  const largest = chunks.reduce((a, b) => Deno.statSync(a).size >= Deno.statSync(b).size ? a : b);
  Deno.removeSync(largest);
  const to = makeStore(place.join("to"));
  assert.throws(() => copy(stored, to), { name: "StateError", code: "not-found" });
  assert.throws(() => copy(stored, from), (error: Error) => error.name === "StateError");
  const request = { path: place.join("x.mpxar"), exclude: [] };
  assert.throws(() => copyIntoArchive(stored, request), { code: "not-found" });
  assert.deepEqual([...Deno.readDirSync(place.path)].map(({ name }) => name).sort(), [
    "from",
    "to",
    "tree",
  ]);
  const store = Datastore.open(to);
  assert.deepEqual(store.groups(ROOT_NAMESPACE).flatMap((group) => store.snapshots(group)), []);
  store.close();
  // The next one works.
  copy(directory, to);
  using copied = await openCopy(to);
  assertSame(directory, copied);
});
