/** Tablespaces and databases of data directories that are trees like any other. */

import assert from "node:assert/strict";
import {
  memoryDirectory,
  type MemoryEntry,
  memoryFile,
  memorySymlink,
  MemoryTree,
} from "#src/tree/memory_tree.ts";
import type { LayoutRequest, RestoreLayout } from "#src/usecases/restore/layout.ts";
import { treeLayout } from "#src/usecases/restore/tree_layout.ts";
import { restoreRequest } from "./_request.ts";

const PAGE_SIZE = 8192;
const ROW_SIZE = 128;

/** `pg_filenode.map` that says where `pg_database` is. */
function mapFile(): Uint8Array {
  const view = new DataView(new ArrayBuffer(512));
  view.setUint32(0, 0x592717, true);
  view.setUint32(4, 1, true);
  view.setUint32(8, 1262, true);
  view.setUint32(12, 777, true);
  return new Uint8Array(view.buffer);
}

/** A page of `pg_database`. */
function databasePage(rows: readonly (readonly [oid: number, name: string])[]): Uint8Array {
  const bytes = new Uint8Array(PAGE_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint16(12, 24 + 4 * rows.length, true);
  for (const [index, [oid, name]] of rows.entries()) {
    const offset = PAGE_SIZE - (index + 1) * ROW_SIZE;
    view.setUint32(24 + 4 * index, offset | 1 << 15, true);
    bytes[offset + 22] = 24;
    view.setUint32(offset + 24, oid, true);
    bytes.set(new TextEncoder().encode(name), offset + 28);
  }
  return bytes;
}

const ROWS = [[1, "template1"], [4, "template0"], [5, "postgres"], [16, "app"], [
  9,
  "gone",
]] as const;

function dataDirectory(
  entries: Record<string, MemoryEntry>,
  rows: readonly (readonly [number, string])[] = ROWS,
): MemoryTree {
  const database = memoryDirectory({ PG_VERSION: memoryFile("15\n") });
  return new MemoryTree(memoryDirectory({
    PG_VERSION: memoryFile("15\n"),
    global: memoryDirectory({
      pg_control: memoryFile(new Uint8Array(8192)),
      "pg_filenode.map": memoryFile(mapFile()),
      777: memoryFile(databasePage(rows)),
    }),
    base: memoryDirectory({ 1: database, 4: database, 5: database, 16: database }),
    ...entries,
  }));
}

function layout(tree: MemoryTree, more: Partial<LayoutRequest> = {}): RestoreLayout {
  return treeLayout(tree, "x", restoreRequest("/target", more));
}

function mapped(...pairs: [string, string][]): Partial<LayoutRequest> {
  return { tablespaces: new Map(pairs) };
}

/** Where tablespaces go, what their links say, and what `tablespace_map` says. */
function summary(tree: MemoryTree, { roots, linkTarget, files, isLeftOut }: RestoreLayout) {
  const directory = tree.root.lookup("pg_tblspc");
  const entries = directory?.kind === "directory" ? [...directory.entries()] : [];
  return {
    places: roots.slice(1).map(({ path }) => path),
    links: entries.map(({ name, node }) => linkTarget(`pg_tblspc/${name}`, node)),
    map: files[0]?.text,
    hasExtras: !isLeftOut(".pbkfs"),
  };
}

const CONTENT = memoryDirectory({
  PG_15: memoryDirectory({ 16: memoryDirectory({ 1: memoryFile("x") }) }),
});

Deno.test("a tablespace goes where it is told to, where it was, or stays", () => {
  const tree = dataDirectory({
    pg_tblspc: memoryDirectory({
      100: memorySymlink("../.pbkfs/tblspc/100"),
      200: memorySymlink("/srv/outside"),
      300: CONTENT,
      400: memorySymlink(".."),
    }),
    ".pbkfs": memoryDirectory({ tblspc: memoryDirectory({ 100: CONTENT }) }),
    // The last has no link: a server makes it.
    tablespace_map: memoryFile("100 /srv/a b\\\\c\n300 /srv/in place\n500 /srv/later\n"),
  });
  assert.deepEqual(summary(tree, layout(tree)), {
    places: ["/srv/a b\\c", "/srv/in place"],
    links: ["/srv/a b\\c", "/srv/outside", "/srv/in place", ".."],
    map: undefined,
    hasExtras: false,
  });
  const request = mapped(["/srv/a b\\c", "/new\\1"], ["200", "/new2"], ["/srv/later", "/new\n5"]);
  assert.deepEqual(summary(tree, layout(tree, request)), {
    places: ["/new\\1", "/srv/in place"],
    links: ["/new\\1", "/new2", "/srv/in place", ".."],
    map: "100 /new\\\\1\n300 /srv/in place\n500 /new\\\n5\n",
    hasExtras: false,
  });
  const { isLeftOut, roots } = layout(tree);
  assert.ok(!isLeftOut("pg_tblspc/300"), "a link takes its place");
  assert.deepEqual(roots.map(({ kind }) => kind), ["target", "tablespace", "tablespace"]);
  assert.throws(() => layout(tree, mapped(["/srv/other", "/x"])), {
    code: "usage",
    message: /"\/srv\/other"/,
    hint: /\/srv\/a b\\c, \/srv\/outside, \/srv\/in place, 400, \/srv\/later/,
  });
});

Deno.test("tablespaces of which nothing says where they were stay, but for those that are mapped", () => {
  const tree = dataDirectory({
    pg_tblspc: memoryDirectory({
      100: memorySymlink("../.pbkfs/tblspc/100"),
      300: CONTENT,
    }),
    ".pbkfs": memoryDirectory({ tblspc: memoryDirectory({ 100: CONTENT }) }),
  });
  const stays = { places: [], links: ["../.pbkfs/tblspc/100", undefined], map: undefined };
  assert.deepEqual(summary(tree, layout(tree)), { ...stays, hasExtras: true });
  assert.deepEqual(summary(tree, layout(tree, mapped(["300", "/n"]))), {
    places: ["/n"],
    links: ["../.pbkfs/tblspc/100", "/n"],
    map: undefined,
    hasExtras: true,
  });
  assert.ok(!layout(tree, mapped(["100", "/n"])).isLeftOut("pg_tblspc/300"));
  assert.ok(layout(tree, mapped(["100", "/n"])).isLeftOut(".pbkfs"));
});

Deno.test("databases are chosen by their names or OIDs", () => {
  const tree = dataDirectory({
    pg_tblspc: memoryDirectory({ 300: CONTENT, 100: memorySymlink("../.pbkfs/tblspc/100") }),
    ".pbkfs": memoryDirectory({
      tblspc: memoryDirectory({
        100: memoryDirectory({ PG_15: memoryDirectory({ 70: CONTENT }) }),
      }),
    }),
  });
  const left = (isIncluding: boolean, ...names: string[]) =>
    layout(tree, { databases: { isIncluding, names } });
  assert.deepEqual(left(true, "app").leftOutDatabases, [5, 70]);
  assert.deepEqual(left(true, "template1", "70").leftOutDatabases, [5, 16]);
  const { leftOutDatabases, isEmptied, roots } = left(false, "app", "70");
  assert.deepEqual(leftOutDatabases, [16, 70]);
  const [target] = roots;
  const paths = {
    "base/16/1": true,
    "base/5/1": false,
    "base/16": false,
    "pg_tblspc/300/PG_15/16/1": true,
    ".pbkfs/tblspc/100/PG_15/70/1": true,
    "elsewhere/16/1": false,
  };
  for (const [path, isLeftOut] of Object.entries(paths)) {
    assert.equal(isEmptied(target!, path), isLeftOut, path);
  }
  const tablespace = { ...target!, kind: "tablespace" } as const;
  assert.ok(isEmptied(tablespace, "PG_15/16/1"));
  assert.ok(!isEmptied({ ...target!, kind: "external" }, "base/16/1"));
  assert.throws(() => left(false, "template0"), /every cluster needs it/);
  // Removed: a row is still there, files are not.
  assert.throws(() => left(false, "gone"), { hint: "It has postgres (5), app (16)" });
  assert.throws(() => left(false, "71"), /Cannot find database "71"/);
});

Deno.test("a database that has had other names, or whose name another has had, is chosen by its OID", () => {
  const tree = dataDirectory({}, [...ROWS, [16, "former"], [5, "app2"], [16, "app2"]]);
  const left = (name: string) => layout(tree, { databases: { isIncluding: false, names: [name] } });
  for (const name of ["app", "former", "app2", "postgres"]) {
    assert.throws(() => left(name), { message: /names have changed/, hint: /app \(16\)/ }, name);
  }
  assert.deepEqual(left("16").leftOutDatabases, [16]);
  const nameless = dataDirectory({}, []);
  const databases = { isIncluding: true, names: ["16"] };
  assert.throws(() => layout(nameless, { databases }), /no rows of the templates/);
});

Deno.test("what is no data directory has neither tablespaces nor databases", () => {
  const tree = new MemoryTree(memoryDirectory({ file: memoryFile("x") }));
  const databases = { isIncluding: false, names: ["x"] };
  for (
    const [more, option] of [
      [mapped(["/a", "/b"]), "tablespaceMapping"],
      [{ databases }, "excludeDb"],
      [{ databases: { ...databases, isIncluding: true } }, "includeDb"],
      [{ externalDirectories: new Map([["/a", "/b"]]) }, "externalMapping"],
    ] as const
  ) assert.throws(() => layout(tree, more), { code: "usage", option });
  assert.equal(layout(tree).backup, undefined);
});
