import assert from "node:assert/strict";
import {
  backup,
  parseBackupSpec,
  planBackup,
  readFileRange,
  restoreStream,
} from "#src/backup/mod.ts";
import { UsageError } from "#src/errors.ts";
import { MemorySink } from "#tests/support/pxar_fixtures.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { MemoryStore } from "./_memory_store.ts";

Deno.test("backup() stores archives in the order of the specification", () => {
  using place = new TempDirectory("backup");
  Deno.mkdirSync(place.join("tree"));
  Deno.writeTextFileSync(place.join("tree/a"), "content of a");
  Deno.writeTextFileSync(place.join("some.conf"), "x=1\n");
  Deno.writeFileSync(place.join("disk"), new Uint8Array(5_000_000).fill(7));
  const store = new MemoryStore();
  const specs = [
    `root.pxar:${place.join("tree")}`,
    `disk.img:${place.join("disk")}`,
    `some.conf:${place.join("some.conf")}`,
    `more.pxar:${place.join("tree")}`,
  ].map(parseBackupSpec);
  const key = new Uint8Array(512);
  const report = backup(store.start(), specs, { encryptedKey: key, log: () => new Uint8Array(3) });
  assert.deepEqual(store.last.manifest.files.map(({ filename }) => filename), [
    "root.pxar.didx",
    "disk.img.fidx",
    "some.conf.blob",
    "more.pxar.didx",
    "catalog.pcat1.didx",
    "rsa-encrypted.key.blob",
  ]);
  assert.ok(store.last.files.has("client.log.blob"));
  assert.deepEqual(
    report.archives.flatMap(({ files }) => files),
    ["root.pxar.didx", "disk.img.fidx", "some.conf.blob", "more.pxar.didx"],
  );
  assert.equal(report.isPartial, false);

  for (const mode of ["data", "metadata"] as const) {
    backup(store.start(), specs, { mode });
    assert.deepEqual(store.last.manifest.files.map(({ filename }) => filename), [
      "root.ppxar.didx",
      "root.mpxar.didx",
      "disk.img.fidx",
      "some.conf.blob",
      "more.ppxar.didx",
      "more.mpxar.didx",
    ]);
    const pieces = [...readFileRange(store.last, { archive: "more.pxar", path: "/a", offset: 8 })];
    assert.equal(new TextDecoder().decode(pieces[0]), "of a");
  }
  const sink = new MemorySink();
  assert.equal(restoreStream(store.last, "disk.img", sink), 5_000_000);
  assert.deepEqual(sink.bytes(), new Uint8Array(5_000_000).fill(7));
});

Deno.test("backup() refuses sources before it writes anything, and gives the snapshot up", () => {
  using place = new TempDirectory("backup");
  Deno.writeTextFileSync(place.join("file"), "x");
  Deno.writeTextFileSync(place.join("empty"), "");
  using _socket = Deno.listen({ transport: "unix", path: place.join("socket") });
  const refused: [specs: string[], message: RegExp][] = [
    [[], /no archive/],
    [[`a.pxar:${place.path}`, `b.pxar:${place.join("file")}`], /expected directory/],
    [[`a.img:${place.path}`], /expected file or block device/],
    [[`a.img:${place.join("empty")}`], /zero-sized/],
    [[`a.conf:${place.path}`], /expected regular file/],
    [[`a.conf:${place.join("file")}`, `a.conf:${place.join("empty")}`], /twice/],
    [[`a.conf:${place.join("none")}`], /ENOENT/],
    [[`a.img:${place.join("socket")}`], /expected file or block device/],
    [[`a.conf:${place.join("socket")}`], /expected regular file/],
    [[`client.log:${place.join("file")}`], /log of the backup/],
  ];
  for (const [texts, message] of refused) {
    const store = new MemoryStore();
    const writer = store.start();
    const specs = texts.map(parseBackupSpec);
    assert.throws(() => backup(writer, specs), message);
    assert.ok(writer.isAborted);
    assert.throws(() => planBackup(specs), message);
    assert.equal(store.chunks.size, 0);
  }
});

Deno.test("backup() gives up an image that becomes shorter, and says so", () => {
  using place = new TempDirectory("backup");
  const path = place.join("disk");
  Deno.writeFileSync(path, new Uint8Array(50 << 20).fill(7));
  const writer = new MemoryStore().start();
  const onImage = () => Deno.truncateSync(path, 1000);
  assert.throws(
    () => backup(writer, [parseBackupSpec(`a.img:${path}`)], { onImage }),
    /"[^"]*disk": it has become shorter/,
  );
  assert.ok(writer.isAborted);
});

Deno.test("backup() says how much of the disk a blob takes", () => {
  using place = new TempDirectory("backup");
  Deno.writeTextFileSync(place.join("file"), "x".repeat(100_000));
  Deno.mkdirSync(place.join("store/.chunks"), { recursive: true });
  const store = Datastore.open(place.join("store"), { access: "write", syncLevel: "none" });
  const group = { ns: ROOT_NAMESPACE, type: "host", id: "a" } as const;
  const { archives: [archive], snapshot } = backup(store.startSnapshot({ group }), [
    parseBackupSpec(`a.conf:${place.join("file")}`),
  ]);
  store.close();
  assert.equal(archive?.newBytes, 100_000);
  assert.equal(archive?.newStoredBytes, snapshot?.manifest.files[0]?.size);
});

Deno.test("parseBackupSpec() takes NAME.EXTENSION:PATH", () => {
  assert.deepEqual(parseBackupSpec("root.pxar:/a:b"), {
    kind: "pxar",
    name: "root.pxar",
    path: "/a:b",
  });
  assert.equal(parseBackupSpec("x.log:f").kind, "blob");
  for (const text of ["root.tar:/x", "a b.pxar:/x", "root.pxar:", "root.pxar", ".pxar:/x"]) {
    assert.throws(() => parseBackupSpec(text), UsageError);
  }
});

Deno.test("planBackup() counts without writing", () => {
  using place = new TempDirectory("backup");
  Deno.writeTextFileSync(place.join("file"), "four");
  const specs = [`root.pxar:${place.path}`, `a.img:${place.join("file")}`].map(parseBackupSpec);
  const report = planBackup(specs, { mode: "metadata" });
  assert.deepEqual(report.archives.map(({ size, files }) => [size, files]), [
    [4, ["root.ppxar.didx", "root.mpxar.didx"]],
    [4, ["a.img.fidx"]],
  ]);
  assert.equal(report.snapshot, undefined);
});
