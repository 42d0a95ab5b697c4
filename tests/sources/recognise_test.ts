import assert from "node:assert/strict";
import fc from "fast-check";
import { Failure, OsError, StateError, UsageError } from "#src/errors.ts";
import { openSource } from "#src/sources/mod.ts";
import { parseSourceName } from "#src/sources/name.ts";
import { recognise, resolveName } from "#src/sources/recognise.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { EXAMPLES, SNAPSHOT } from "./_examples.ts";

function make(home: TempDirectory, title: RegExp): void {
  EXAMPLES.find((example) => title.test(example.title))!.make(home.path, 1);
}

function whyNot(place: string): UsageError {
  try {
    recognise({ place, item: undefined });
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  return assert.fail(`"${place}" was recognised`);
}

Deno.test("recognise() knows sources by what is in them, whatever they are called", () => {
  using home = new TempDirectory("recognise");
  make(home, /^a split archive/);
  Deno.renameSync(home.join("x.mpxar"), home.join("odd.tar.gz"));
  const place = home.join("odd.tar.gz");
  assert.deepEqual(recognise({ place, item: undefined }), { kind: "pxar", place, item: undefined });
  assert.match(whyNot(home.join("x.ppxar")).message, /payload stream .*named by its metadata/);
});

Deno.test("recognise() makes parts of a catalog items of it", () => {
  using home = new TempDirectory("recognise");
  make(home, /pg_probackup/);
  const catalog = home.join("catalog");
  const [backup] = [...Deno.readDirSync(`${catalog}/backups/directory`)]
    .filter(({ isDirectory }) => isDirectory);
  for (
    const [path, item] of [
      ["", undefined],
      ["/backups/directory", "directory"],
      [`/backups/directory/${backup!.name}`, `directory/${backup!.name}`],
    ] as const
  ) {
    const found = recognise({ place: catalog + path, item: undefined });
    assert.deepEqual(found, { kind: "pgpro", place: catalog, item });
  }
  Deno.renameSync(`${catalog}/backups/directory`, home.join("alone"));
  assert.match(whyNot(home.join("alone")).message, /part of a catalog .* elsewhere/);
});

Deno.test("recognise() knows tar archives, compressed ones and sets of a base backup", async () => {
  using home = new TempDirectory("recognise");
  Deno.mkdirSync(home.join("set"));
  const make = async (how: string, path: string) => {
    await runCommand(["tar", how, path, "-C", home.path, "set"], { timeoutMs: 60_000 });
    return { kind: "tar", place: path, item: undefined };
  };
  for (const [how, name] of [["-cf", "a.pxar"], ["-czf", "b"], ["--zstd", "c"]] as const) {
    const options = how === "--zstd" ? "--zstd -cf" : how;
    const place = home.join(name);
    await runCommand(["sh", "-c", `tar ${options} ${place} -C ${home.path} set`], {
      timeoutMs: 60_000,
    });
    assert.deepEqual(recognise({ place, item: undefined }), {
      kind: "tar",
      place,
      item: undefined,
    });
  }
  const base = await make("-cf", home.join("set/base.tar"));
  assert.deepEqual(recognise({ place: home.join("set"), item: undefined }), base);
});

Deno.test("recognise() takes any other directory for what it is", () => {
  using home = new TempDirectory("recognise");
  for (const name of ["PG_VERSION", "backup_manifest", "x"]) {
    const place = home.join(`of ${name}`);
    Deno.mkdirSync(place);
    Deno.writeTextFileSync(`${place}/${name}`, "15\n");
    const found = recognise({ place, item: undefined });
    assert.deepEqual(found, { kind: "dir", place, item: undefined });
  }
});

Deno.test("resolveName() takes dir:PATH for a directory, and for a datastore where an item follows", () => {
  using home = new TempDirectory("recognise");
  make(home, /^an archive of a snapshot/);
  const place = home.join("store");
  const item = "host/x/latest/root.pxar";
  const resolve = (text: string) => resolveName(parseSourceName(text));
  assert.deepEqual(resolve(`dir:${place}`), { kind: "dir", place, item: undefined });
  assert.deepEqual(resolve(`dir:${place}#${item}`), { kind: "pbs", place, item });
  assert.deepEqual(resolve(`dir:${home.path}#${item}`), { kind: "dir", place: home.path, item });
});

Deno.test("recognise() makes files and snapshots of a datastore items of it", () => {
  using home = new TempDirectory("recognise");
  make(home, /^an archive of a snapshot/);
  const store = home.join("store");
  Deno.symlinkSync(`${store}/${SNAPSHOT}`, home.join("by-link"));
  for (
    const [path, item] of [
      [store, undefined],
      [`${store}/${SNAPSHOT}`, SNAPSHOT],
      [home.join("by-link"), SNAPSHOT],
      [`${store}/${SNAPSHOT}/root.pxar.didx`, `${SNAPSHOT}/root.pxar`],
      [`${store}/${SNAPSHOT}/disk.img.fidx`, `${SNAPSHOT}/disk.img`],
      [`${store}/${SNAPSHOT}/vm.conf.blob`, `${SNAPSHOT}/vm.conf`],
    ] as const
  ) {
    assert.deepEqual(recognise({ place: path, item: undefined }), {
      kind: "pbs",
      place: store,
      item,
    });
  }
  Deno.copyFileSync(`${store}/${SNAPSHOT}/root.pxar.didx`, `${store}/loose`);
  assert.match(whyNot(`${store}/loose`).message, /index that is in no snapshot/);
  Deno.copyFileSync(`${store}/${SNAPSHOT}/root.pxar.didx`, home.join("away.didx"));
  assert.throws(() => recognise({ place: home.join("away.didx"), item: undefined }), StateError);
});

Deno.test("recognise() says what it has found instead, and what it looked for", () => {
  using home = new TempDirectory("recognise");
  Deno.mkdirSync(home.join("data"));
  Deno.mkdirSync(home.join("repository"));
  Deno.writeTextFileSync(home.join("repository/backup.manifest"), "");
  Deno.writeFileSync(home.join("z.pxar"), Uint8Array.fromHex("28b52ffd0000"));
  Deno.writeFileSync(home.join("nothing"), new Uint8Array(0));
  for (
    const [name, found] of [
      ["repository", /a backup of pgBackRest/],
      ["z.pxar", /compressed by zstd/],
      ["nothing", /a file of something else/],
    ] as const
  ) {
    const { code, message, hint } = whyNot(home.join(name));
    assert.equal(code, "unknown-source");
    assert.match(message, found);
    assert.match(hint!, /Looked for: .*backup\.control.*\.chunks.*pxar/);
  }
  assert.match(whyNot("/dev/null").message, /is a /);
  assert.throws(
    () => recognise({ place: home.join("none"), item: undefined }),
    (error) => error instanceof OsError && error.code === "ENOENT",
  );
});

Deno.test("recognise() does not wait for a FIFO", async () => {
  using home = new TempDirectory("recognise");
  await runCommand(["mkfifo", home.join("fifo")], { timeoutMs: 60_000 });
  assert.match(whyNot(home.join("fifo")).message, /fifo/i);
});

Deno.test("Files of any content are sources or are refused with a typed error", async () => {
  using home = new TempDirectory("recognise");
  const file = home.join("file");
  const beginnings = [
    "",
    "0da416df756c0f73",
    "efacce884e567d5d",
    "efcc1c1c0a85da11",
    "d24e4a19c2684c83",
    "1c914ea519bab3cd",
    "2f7f41ed91fd0fcd",
    "42ab3807be8370a1",
  ];
  const contents = fc.tuple(fc.constantFrom(...beginnings), fc.uint8Array({ maxLength: 400 }));
  await fc.assert(
    fc.asyncProperty(contents, async ([beginning, rest]) => {
      Deno.writeFileSync(file, Uint8Array.from([...Uint8Array.fromHex(beginning), ...rest]));
      try {
        using source = await openSource(file);
        source.openTree().close();
      } catch (error) {
        assert.ok(error instanceof Failure, String(error));
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("openSource() names the candidates where a name says too little", async () => {
  using home = new TempDirectory("recognise");
  make(home, /pg_probackup/);
  Deno.removeSync(home.join("tree"), { recursive: true });
  make(home, /^an archive of a snapshot/);
  for (
    const [name, hint] of [
      ["catalog", /#INSTANCE\/ID, one of: directory\/latest$/],
      ["catalog#directory", /one of: directory\/[0-9A-Z]{6}, directory\/[0-9A-Z]{6}$/],
      ["store", /there is: host\/x\/latest$/],
      ["store#host/x", new RegExp(`there is: ${SNAPSHOT}$`)],
      [`store/${SNAPSHOT}`, new RegExp(`there is: .*${SNAPSHOT}/root\\.pxar`)],
    ] as const
  ) {
    await assert.rejects(
      () => openSource(home.join(name)),
      (error) => error instanceof UsageError && hint.test(error.hint ?? ""),
      name,
    );
  }
});

Deno.test("openSource() refuses what is not there, and what one source does not have", async () => {
  using home = new TempDirectory("recognise");
  make(home, /pg_probackup/);
  Deno.removeSync(home.join("tree"), { recursive: true });
  make(home, /^an archive of a snapshot/);
  Deno.removeSync(home.join("tree"), { recursive: true });
  make(home, /^an archive$/);
  for (
    const [name, error] of [
      ["catalog#directory/TOTXQL", StateError],
      ["catalog#nobody/latest", StateError],
      ["catalog#directory/@2001-01-01", StateError],
      ["catalog#directory/a/b", UsageError],
      ["store#host/x/latest/none.pxar", StateError],
      ["store#host/nobody/latest/root.pxar", StateError],
      ["store#host/x/2020-01-01T00:00:00Z/root.pxar", StateError],
      ["store#host/x/latest/catalog.pcat1", UsageError],
      [`store/${SNAPSHOT}/root.pxar.didx#part`, UsageError],
      ["x.pxar#part", UsageError],
      ["nothing.pxar", OsError],
    ] as const
  ) {
    await assert.rejects(() => openSource(home.join(name)), error, name);
    if (name.startsWith("x.pxar")) {
      await assert.rejects(() => openSource(`pxar:${home.join(name)}`), error, name);
    }
  }
});
