import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { FormatError, IntegrityError, StateError, UsageError } from "#src/errors.ts";
import { attachPgProbackupTree, inspectChain, readInstance } from "#src/pgprobackup/mod.ts";
import type { FileNode } from "#src/tree/node.ts";
import { checkMountableTree } from "#tests/support/tree_conformance.ts";
import { pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { CatalogWriter, type Entry, makePage } from "./_catalog_writer.ts";
import { fileAt, NATIVE, nodeAt, openTree, pathsBelow, readAll } from "./_tree_support.ts";

const START = 1795226505;
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function withStore(run: (writer: CatalogWriter) => void): void {
  const store = Deno.makeTempDirSync({ prefix: "pbkfs-tree-" });
  try {
    run(new CatalogWriter(store));
  } finally {
    Deno.removeSync(store, { recursive: true });
  }
}

function write(writer: CatalogWriter, ...layers: Entry[][]): string {
  let id = "";
  layers.forEach((entries, index) => {
    id = writer.write({
      startTime: START + index,
      ...(index === 0 ? {} : { parent: START + index - 1 }),
      entries,
    });
  });
  return id;
}

Deno.test("PgProbackupTree gives every node the same id each time, and finds it by that id", async () => {
  const fixture = (await pgprobackupFixture("a-stream-none"))!;
  const [one, two] = [openTree(fixture.catalog, "TOTXQL"), openTree(fixture.catalog, "totxql")];
  const first = [...pathsBelow(one.root)].map(([path, node]) => `${path} ${node.id}`);
  const second = [...pathsBelow(two.root)].map(([path, node]) => `${path} ${node.id}`);
  deepEqual(first, second);
  equal(new Set(first.map((line) => line.split(" ")[1])).size, first.length);
  equal(one.root.id, 1);
  for (const [, node] of pathsBelow(one.root)) equal(one.nodeById(node.id), node);
  equal(one.nodeById(0), undefined);
  equal(one.nodeById(first.length + 2), undefined);
});

Deno.test("PgProbackupTree is a tree", async () => {
  const fixture = (await pgprobackupFixture("f-tablespace-external"))!;
  checkMountableTree(() => openTree(fixture.catalog, "TOTXTQ"));
});

Deno.test("attachPgProbackupTree() gives another thread the same tree", async () => {
  const fixture = (await pgprobackupFixture("f-tablespace-external"))!;
  const opened = openTree(fixture.catalog, "TOTXTQ");
  const attached = attachPgProbackupTree(structuredClone(opened.opened), NATIVE);
  const describe = (tree: typeof opened) =>
    [...pathsBelow(tree.root)].map(([path, { id, kind, attributes }]) =>
      [path, id, kind, attributes.size, attributes.mode, attributes.uid].join(" ")
    );
  deepEqual(describe(attached), describe(opened));
  const path = "global/pg_control";
  deepEqual(readAll(fileAt(attached, path)), readAll(fileAt(opened, path)));
  equal(attached.chain.length, opened.chain.length);
});

Deno.test("A file has the time of the backup that stores it last, told from others of that second", () =>
  withStore((writer) => {
    const id = write(
      writer,
      [{ path: "old", content: encode("old") }, { path: "new", content: encode("one") }],
      [{ path: "old", content: "unchanged", fullSize: 3 }, { path: "new", content: encode("two") }],
    );
    const tree = openTree(writer.store, id);
    const time = (path: string) => fileAt(tree, path).attributes.mtime;
    equal(time("old").seconds, START + 1);
    equal(time("new").seconds, START + 2);
    deepEqual(tree.root.attributes.mtime, time("new"));
    // The nanoseconds depend on what the list of that backup says.
    const full = openTree(writer.store, writer.write({ startTime: START + 9, entries: [] }));
    ok(full.root.attributes.mtime.nanoseconds !== time("new").nanoseconds);
    ok(time("old").nanoseconds !== time("new").nanoseconds);
    ok([time("old"), time("new")].every(({ nanoseconds }) => nanoseconds < 1e9));
  }));

Deno.test("PgProbackupTree gives all nodes one owner and the recovery time; the root is 0700", () =>
  withStore((writer) => {
    const id = write(writer, [{ path: "base", directory: true }, {
      path: "base/f",
      content: encode("x"),
      mode: 0o100640,
    }]);
    const tree = openTree(writer.store, id, { owner: { uid: 7, gid: 8 } });
    equal(tree.root.attributes.mode, 0o040700);
    const { attributes } = fileAt(tree, "base/f");
    const { mode, uid, gid, size, mtime, nlink, rdev } = attributes;
    deepEqual({ mode, uid, gid, size, mtime, nlink, rdev }, {
      mode: 0o100640,
      uid: 7,
      gid: 8,
      size: 1,
      mtime: { seconds: START + 1, nanoseconds: mtime.nanoseconds },
      nlink: 1,
      rdev: 0,
    });
    equal(fileAt(tree, "base/f").xattrs().size, 0);
    const { uid: backupUid } = Deno.statSync(writer.directory(START));
    equal(openTree(writer.store, id).root.attributes.uid, backupUid);
  }));

Deno.test("PgProbackupTree names the plain file of a stored whole file, and of nothing else", () =>
  withStore((writer) => {
    const id = write(
      writer,
      [
        { path: "old", content: encode("old") },
        { path: "changed", content: encode("before") },
        { path: "empty", content: new Uint8Array(0) },
        { path: "gone", content: encode("gone") },
        { path: "relation", blockCount: 1, pages: new Map([[0, makePage(0, 1)]]) },
      ],
      [
        { path: "old", content: "unchanged", fullSize: 3 },
        { path: "changed", content: encode("now") },
        { path: "empty", content: new Uint8Array(0) },
        { path: "relation", blockCount: 1, pages: new Map() },
      ],
    );
    const tree = openTree(writer.store, id);
    equal(fileAt(tree, "old").plainPath, `${writer.directory(START)}/database/old`);
    equal(fileAt(tree, "changed").plainPath, `${writer.directory(START + 1)}/database/changed`);
    equal(decode(readAll(fileAt(tree, "changed"))), "now");
    equal(fileAt(tree, "empty").plainPath, undefined);
    equal(fileAt(tree, "relation").plainPath, undefined);
    equal(readAll(fileAt(tree, "empty")).length, 0);
    equal(nodeAt(tree, "gone"), undefined);
    equal(tree.root.lookup("none"), undefined);
  }));

Deno.test("PgProbackupTree follows an external directory by its path when its number changes", () =>
  withStore((writer) => {
    writer.write({
      startTime: START,
      externalDirectories: ["/z", "/m"],
      entries: [
        { path: "f", external: 1, content: encode("of m") },
        { path: "f", external: 2, content: encode("of z") },
      ],
    });
    const id = writer.write({
      startTime: START + 1,
      parent: START,
      externalDirectories: ["/a", "/z"],
      entries: [
        { path: "f", external: 2, content: "unchanged" },
        { path: "g", external: 2, content: encode("new") },
      ],
    });
    const tree = openTree(writer.store, id);
    equal(decode(readAll(fileAt(tree, ".pbkfs/external/2/f"))), "of z");
    equal(decode(readAll(fileAt(tree, ".pbkfs/external/2/g"))), "new");
    deepEqual([...pathsBelow(nodeAt(tree, ".pbkfs/external/1")!)], []);
    const wrong = writer.write({
      startTime: START + 9,
      entries: [{ path: "f", external: 1, content: encode("x") }],
    });
    throws(() => openTree(writer.store, wrong), /names 0 directories/);
  }));

Deno.test("PgProbackupTree puts a tablespace behind a link", () =>
  withStore((writer) => {
    const id = write(writer, [
      { path: "pg_tblspc/777/PG_15/5/1", content: encode("x") },
      { path: "pg_tblspc/777", directory: true, mode: 0o040750 },
      { path: "tablespace_map", content: encode("777 /srv") },
      { path: "database_map", content: encode("{}") },
      { path: "sub/database_map", content: encode("kept") },
    ]);
    const tree = openTree(writer.store, id);
    const link = nodeAt(tree, "pg_tblspc/777")!;
    ok(link.kind === "symlink");
    equal(link.target, "../.pbkfs/tblspc/777");
    equal(link.attributes.size, link.target.length);
    for (const mountPath of ["/mnt/pg", "/srv/ä b/mnt"]) {
      const mounted = nodeAt(openTree(writer.store, id, { mountPath }), "pg_tblspc/777")!;
      ok(mounted.kind === "symlink");
      equal(mounted.target, `${mountPath}/.pbkfs/tblspc/777`);
      equal(mounted.attributes.size, encode(mounted.target).length);
    }
    equal(nodeAt(tree, ".pbkfs/tblspc/777")!.attributes.mode, 0o040750);
    equal(decode(readAll(fileAt(tree, "pg_tblspc/777/PG_15/5/1"))), "x");
    deepEqual(
      [...tree.root.entries()].map(({ name }) => name).sort(),
      [".pbkfs", "pg_tblspc", "sub"],
    );
  }));

Deno.test("PgProbackupTree takes lists in any order: a directory's line may follow its files", () =>
  withStore((writer) => {
    const id = write(writer, [
      { path: "a/b/f", content: encode("x") },
      { path: "a/b", directory: true, mode: 0o040711 },
      { path: "g", content: encode("y") },
      { path: "a/c/f", content: encode("z") },
      { path: "a", directory: true, mode: 0o040722 },
    ]);
    const tree = openTree(writer.store, id);
    equal(nodeAt(tree, "a")!.attributes.mode, 0o040722);
    equal(nodeAt(tree, "a/b")!.attributes.mode, 0o040711);
    equal(nodeAt(tree, "a/c")!.attributes.mode, 0o040700);
    deepEqual(
      [...pathsBelow(tree.root)].map(([path]) => path),
      ["a", "a/b", "a/b/f", "a/c", "a/c/f", "g"],
    );
    equal(decode(readAll(fileAt(tree, "a/c/f"))), "z");
  }));

Deno.test("PgProbackupTree pads a file of a compressed tablespace with its zeros", () =>
  withStore((writer) => {
    const id = write(writer, [{
      path: "1.cfm",
      content: encode("abc"),
      isCfs: true,
      fullSize: 10,
    }]);
    const file: FileNode = fileAt(openTree(writer.store, id), "1.cfm");
    equal(file.plainPath, undefined);
    equal(file.attributes.dataBytes, 3);
    deepEqual([...readAll(file)], [97, 98, 99, 0, 0, 0, 0, 0, 0, 0]);
  }));

Deno.test("PgProbackupTree refuses lists that do not fit together", () =>
  withStore((writer) => {
    const file = (path: string): Entry => ({ path, content: encode("x") });
    const cases: [RegExp, typeof FormatError | typeof IntegrityError, ...Entry[][]][] = [
      [/"a" is listed twice/, FormatError, [file("a"), file("a")]],
      [/"a" is listed twice/, FormatError, [file("a"), file("a")], [file("a")]],
      [/"a" is both file and directory/, FormatError, [file("a")], [file("a/b"), file("a")]],
      [/"d" is listed twice/, FormatError, [
        { path: "d", directory: true },
        { path: "d", directory: true },
      ]],
      [/the name "\.pbkfs" is taken/, FormatError, [file(".pbkfs/worker.pid")]],
      [/backup \w+ does not list it/, IntegrityError, [file("b")], [{
        path: "a",
        content: "unchanged",
      }]],
      [/has it as unchanged/, IntegrityError, [{ path: "a", content: "unchanged" }]],
      [/has 1 bytes instead of 9/, IntegrityError, [file("a")], [{
        path: "a",
        content: "unchanged",
        fullSize: 9,
      }]],
      [/of another kind/, FormatError, [file("a")], [{
        path: "a",
        blockCount: 2,
        pages: new Map(),
      }]],
    ];
    cases.forEach(([message, kind, ...layers], index) => {
      const directories = layers.map((entries, layer) => {
        // "a" cannot be both on disk either: write the clash by hand into the list.
        const startTime = START + index * 10 + layer;
        writer.write({
          startTime,
          ...(layer === 0 ? {} : { parent: startTime - 1 }),
          entries: entries.filter((entry) => !entry.path.startsWith("a/")),
          control: { "content-crc": "0" },
        });
        const clash = entries.find((entry) => entry.path.startsWith("a/"));
        const path = `${writer.directory(startTime)}/backup_content.control`;
        if (clash !== undefined) {
          const line = '{"path":"a/b", "size":"0", "mode":"33152", "is_datafile":"0"}\n';
          Deno.writeTextFileSync(path, Deno.readTextFileSync(path) + line);
        }
        return startTime;
      });
      const id = writer.directory(directories.at(-1)!).split("/").at(-1)!;
      throws(() => openTree(writer.store, id), (error) => {
        ok(error instanceof kind, String(error));
        ok(message.test(error.message), error.message);
        ok(error.message.includes("backup_content.control"), error.message);
        return true;
      });
    });
  }));

Deno.test("openPgProbackupTree() says what is not found", () =>
  withStore((writer) => {
    const id = write(writer, [{ path: "f", content: encode("x") }]);
    throws(() => openTree(`${writer.store}/wal`, id), StateError);
    throws(() => openTree(writer.store, id, { instance: "other" }), /Cannot find instance "other"/);
    throws(() => openTree(writer.store, id, { instance: "../wal" }), UsageError);
    throws(() => openTree(writer.store, "ABC"), /Cannot find backup ABC/);
  }));

Deno.test("findBackup() goes by the start time, and by the directory's name where two have the same", () =>
  withStore((writer) => {
    const id = write(writer, [{ path: "f", content: encode("original") }]);
    Deno.renameSync(writer.directory(START), `${writer.store}/backups/main/RENAMED`);
    const renamed = openTree(writer.store, id);
    equal(renamed.chain[0]!.id, id);
    equal(decode(readAll(fileAt(renamed, "f"))), "original");
    write(writer, [{ path: "f", content: encode("second") }]);
    equal(decode(readAll(fileAt(openTree(writer.store, id.toLowerCase()), "f"))), "second");
    throws(() => openTree(writer.store, "RENAMED"), /Cannot find backup RENAMED/);
  }));

Deno.test("inspectChain() tells the obstacle that nothing passes over before the one that force does", () =>
  withStore((writer) => {
    const entries: Entry[] = [{ path: "f", content: encode("x") }];
    writer.write({ startTime: START, entries, control: { status: "ERROR" } });
    writer.write({
      startTime: START + 1,
      parent: START,
      entries,
      control: { status: "CORRUPT" },
    });
    const instance = readInstance(writer.store, "main");
    const report = inspectChain(instance, instance.backups[1]!);
    ok(report.obstacle?.isForceable === false);
    ok(/status ERROR/.test(report.obstacle.error.message));
    deepEqual(report.members.map(({ status }) => status), ["CORRUPT"]);
  }));

Deno.test("openPgProbackupTree() opens a chain of lists of 50,000 files in modest time", () =>
  withStore((writer) => {
    const line = (index: number, size: number) =>
      `{"path":"base/${index % 50}/${20000 + index}", "size":"${size}", "mode":"33152", ` +
      `"is_datafile":"1", "is_cfs":"0", "crc":"1741880796", "compress_alg":"none", ` +
      `"external_dir_num":"0", "dbOid":"5","full_size":"1220608","segno":"0","n_blocks":"768",` +
      `"n_headers":"768","hdr_crc":"661014298","hdr_off":"${index * 100}","hdr_size":"100"}\n`;
    const id = write(writer, [], []);
    const sizes = [768 * 8200, -1];
    sizes.forEach((size, layer) => {
      const directory = writer.directory(START + layer);
      const lines = Array.from({ length: 50_000 }, (_, index) => line(index, size));
      Deno.writeTextFileSync(`${directory}/backup_content.control`, lines.join(""));
      const control = `${directory}/backup.control`;
      Deno.writeTextFileSync(control, Deno.readTextFileSync(control) + "content-crc = 0\n");
    });
    const started = performance.now();
    const tree = openTree(writer.store, id);
    const elapsedMs = performance.now() - started;
    equal(fileAt(tree, "base/7/69957").attributes.size, 768 * 8192);
    // 0.25 s measured on one loaded core; the bound only catches what grows faster than the lists.
    ok(elapsedMs < 3000, `${elapsedMs} ms`);
  }));
