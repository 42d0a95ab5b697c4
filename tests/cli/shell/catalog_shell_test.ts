import assert from "node:assert/strict";
import { CatalogShell } from "#src/cli/shell/catalog_shell.ts";
import { listByTree, resolvePath } from "#src/usecases/archive/directories.ts";
import { OsError, StateError, UsageError } from "#src/errors.ts";
import { openPlainSource } from "#src/io/files/plain_source.ts";
import { openPxarTree } from "#src/pxar/pxar_tree.ts";
import { PXAR_FIXTURES } from "#tests/support/pxar_fixtures.ts";

type Restored = [from: string, paths: readonly string[], target: string];

/** Runs lines in a shell on an archive with `/a`, `/b`, `/c`, `/d/e`, `/d/f` and `/z`. */
function inShell(lines: readonly string[]) {
  const source = openPlainSource(`${PXAR_FIXTURES}/hardlinks.pxar`);
  const printed: string[] = [];
  const restored: Restored[] = [];
  const tree = openPxarTree(source);
  const shell = new CatalogShell({
    name: "hardlinks.pxar",
    tree,
    listing: listByTree(tree, () => {}),
    restore: (...call) => restored.push(call),
    terminal: {
      out: (text) => printed.push(text),
      outBytes: (bytes) => printed.push(new TextDecoder().decode(bytes)),
      err: () => {},
      isWatched: false,
      isTerminal: false,
      columns: undefined,
    },
  });
  try {
    for (const line of lines) shell.execute(line);
    return { shell, output: printed.join(""), restored };
  } finally {
    source.close();
  }
}

Deno.test("CatalogShell goes through directories and lists them", () => {
  assert.equal(inShell(["ls"]).output, "a\nb\nc\nd\nz\n");
  assert.equal(inShell(["cd d", "pwd", "ls", "cd ..", "pwd"]).output, "/d\ne\nf\n/\n");
  assert.equal(inShell(["ls d a"]).output, "e\nf\n/a\n");
  assert.match(inShell(["ls -l d"]).output, /^L-.* "\/d\/e" -> "a"$/mu);
  assert.equal(inShell(["cd d"]).shell.prompt, "pxar:/d > ");
  assert.match(inShell(["stat d"]).output, /\/d/);
});

Deno.test("CatalogShell refuses what is not there and what it does not know", () => {
  assert.throws(() => inShell(["cd nowhere"]), StateError);
  assert.throws(() => inShell(["cd a"]), OsError);
  assert.throws(() => inShell(["ls d nowhere"]), StateError);
  assert.throws(() => inShell(["dance"]), UsageError);
  assert.throws(() => inShell(["pwd now"]), UsageError);
  assert.throws(() => inShell(["ls -x"]), UsageError);
  assert.throws(() => inShell(["restore-selected /t"]), StateError);
});

Deno.test("CatalogShell finds and selects by patterns, relative to the current directory", () => {
  assert.equal(inShell(["find '[ef]'"]).output, "/d/e\n/d/f\n");
  assert.equal(inShell(["cd d", "find /e"]).output, "/d/e\n");
  assert.equal(inShell(["find e --select", "list-selected"]).output, "/d/e\n/d/e\n");
  assert.equal(inShell(["cd d", "select * ../a", "list-selected"]).output, "/a\n/d/e\n/d/f\n");
  assert.equal(inShell(["select a d", "deselect a", "list-selected"]).output, "/d\n");
  assert.equal(inShell(["select a", "clear-selected", "list-selected"]).output, "");
  assert.throws(() => inShell(["select x*"]), StateError);
  assert.throws(() => inShell(["deselect a"]), StateError);
  const some = ["select a d/*", "cd d", "deselect e*", "list-selected"];
  assert.equal(inShell(some).output, "/a\n/d/f\n");
  assert.equal(inShell(["select a d/*", "deselect d/[ef]", "list-selected"]).output, "/a\n");
  assert.throws(() => inShell(["select a", "deselect x*"]), StateError);
});

Deno.test("CatalogShell restores a directory, what matches of it, or what is selected", () => {
  assert.deepEqual(inShell(["cd d", "restore /t"]).restored, [["/d", ["/"], "/t"]]);
  assert.deepEqual(inShell(["cd d", "restore /t --pattern e"]).restored, [["/d", ["/e"], "/t"]]);
  assert.deepEqual(inShell(["select d/e a", "restore-selected /t"]).restored, [
    ["/", ["/a", "/d/e"], "/t"],
  ]);
  assert.throws(() => inShell(["restore /t --pattern nothing"]), StateError);
});

Deno.test("CatalogShell ends with exit and explains its commands", () => {
  assert.ok(inShell(["exit"]).shell.isOver);
  assert.match(inShell(["help"]).output, /^restore-selected TARGET +restore/mu);
  assert.equal(inShell(["help pwd"]).output, "pwd  print the current directory\n");
});

Deno.test("CatalogShell completes commands, flags and paths", () => {
  const source = openPlainSource(`${PXAR_FIXTURES}/hardlinks.pxar`);
  const tree = openPxarTree(source);
  const shell = new CatalogShell({
    name: "x",
    tree,
    listing: listByTree(tree, () => {}),
    restore: () => {},
    terminal: {
      out() {},
      outBytes() {},
      err() {},
      isWatched: false,
      isTerminal: false,
      columns: undefined,
    },
  });
  const complete = (line: string) => shell.complete(line).candidates;
  assert.deepEqual(complete("res"), ["restore ", "restore-selected "]);
  assert.deepEqual(complete("find --"), ["--select "]);
  assert.deepEqual(complete("ls /d/"), ["/d/e ", "/d/f "]);
  assert.deepEqual(complete("cd "), ["d/"]);
  assert.deepEqual(complete("ls nowhere/"), []);
  shell.execute("select d/e");
  assert.deepEqual(complete("deselect "), ["/d/e "]);
  source.close();
});

Deno.test("resolvePath() never leaves the root", () => {
  assert.equal(resolvePath("/a/b", "../c"), "/a/c");
  assert.equal(resolvePath("/a", "../../.."), "/");
  assert.equal(resolvePath("/a", "/b/./c//"), "/b/c");
});
