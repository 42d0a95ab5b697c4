/**
 * Links to directories as sources, and patterns that cannot mean what was meant.
 *
 * @module
 */

import assert from "node:assert/strict";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { pbkfs } from "./_archive_mount.ts";
import { PbsStore } from "./_pbs_store.ts";

/** A directory `real` with two names of a file and a time before 1970, and a link to it. */
function makeTree(scratch: TempDirectory): { real: string; link: string } {
  const real = scratch.join("real");
  Deno.mkdirSync(`${real}/sub`, { recursive: true });
  Deno.writeTextFileSync(`${real}/a`, "1");
  Deno.linkSync(`${real}/a`, `${real}/b`);
  Deno.writeTextFileSync(`${real}/old`, "");
  Deno.utimeSync(`${real}/old`, new Date(-1500), new Date(-1500));
  Deno.symlinkSync("/nowhere", `${real}/sub/link`);
  Deno.symlinkSync("real", scratch.join("link"));
  return { real, link: scratch.join("link") };
}

Deno.test("pxar create follows a link to its source, and no other", async () => {
  using scratch = new TempDirectory("link");
  const { real, link } = makeTree(scratch);
  const archives = [];
  for (const source of [real, link, `${link}/`]) {
    const archive = scratch.join(`${archives.length}.pxar`);
    await pbkfs(["pxar", "create", archive, source], true);
    await pbkfs(["pxar", "create", scratch.join("dry.pxar"), source, "--dry-run"], true);
    archives.push(Deno.readFileSync(archive));
  }
  assert.deepEqual(archives[1], archives[0]);
  assert.deepEqual(archives[2], archives[0]);
  const dangling = await pbkfs(["pxar", "create", scratch.join("x.pxar"), `${real}/sub/link`]);
  assert.equal(dangling.code, 1);
  assert.match(dangling.stderr, /ENOENT|ELOOP/);
});

Deno.test("pbs backup follows a link to its source in every mode", async () => {
  await using store = await PbsStore.create();
  const { link } = makeTree(store.home);
  for (const mode of ["legacy", "data", "metadata"]) {
    const options = ["--backup-id", mode, "--change-detection-mode", mode];
    const summary = await store.backup([`root.pxar:${link}`, ...options]);
    assert.equal(summary.files, 2);
    const listed = await store.must(["ls", `host/${mode}`, "root.pxar", "/"]);
    assert.equal(listed, "a\nb\nold\nsub\n");
  }
  const legacy = await store.must(["catalog", "dump", "host/legacy"]);
  assert.match(legacy, /^f ".\/root.pxar.didx\/old" 0 1969-12-31T23:59:58Z$/m);
  const split = await store.must(["catalog", "dump", "host/data"]);
  assert.match(split, /^f ".\/root.mpxar.didx\/old" 0 1969-12-31T23:59:59Z$/m);
});

Deno.test("the long form prints a hard link as the reference does", async () => {
  using scratch = new TempDirectory("hard");
  const { real } = makeTree(scratch);
  Deno.linkSync(`${real}/a`, `${real}/sub/c`);
  const archive = scratch.join("a.pxar");
  await pbkfs(["pxar", "create", archive, real], true);
  const { stdout } = await pbkfs(["pxar", "list", "-l", archive], true);
  const line = stdout.split("\n").find((each) => each.includes('"/sub/c"'));
  const date = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/;
  assert.equal(
    line!.replace(date, "DATE"),
    'L---------   0/0           DATE        0 "/sub/c" -> "a"',
  );
});

Deno.test("patterns that can match nothing are named, with what would match", async () => {
  using scratch = new TempDirectory("patterns");
  const { real } = makeTree(scratch);
  const archive = scratch.join("a.pxar");
  const exclude = ["./a", `${real}/sub`, "!./b", "/old", "*.tmp"].flatMap((
    it,
  ) => ["--exclude", it]);
  const { code, stderr } = await pbkfs(["pxar", "create", archive, real, ...exclude]);
  assert.equal(code, 0, stderr);
  const warnings = stderr.trim().split("\n");
  assert.equal(warnings.length, 3, stderr);
  for (const [index, meant] of ['"/a"', '"/sub"', '"/b"'].entries()) {
    assert.ok(warnings[index]!.includes(`matches nothing`) && warnings[index]!.includes(meant));
  }
  // The path of the machine once more below the source: that is what is meant.
  Deno.mkdirSync(`${real}${real}/sub`, { recursive: true });
  const again = ["pxar", "create", scratch.join("b.pxar"), real, "--exclude", `${real}/sub`];
  assert.equal((await pbkfs(again, true)).stderr, "");
});

Deno.test("a byte order mark is no part of a pattern", async () => {
  using scratch = new TempDirectory("mark");
  const tree = scratch.join("tree");
  Deno.mkdirSync(tree);
  for (const name of ["a.tmp", "b"]) Deno.writeTextFileSync(`${tree}/${name}`, "");
  Deno.writeTextFileSync(`${tree}/.pxarexclude`, "\ufeff*.tmp\n");
  const archive = scratch.join("a.pxar");
  const { code, stderr } = await pbkfs(["pxar", "create", archive, tree]);
  assert.equal(code, 0);
  assert.match(stderr, /^warning: "\/.pxarexclude": .*byte order mark/);
  assert.equal((await pbkfs(["pxar", "ls", archive], true)).stdout, ".pxarexclude\nb\n");
  Deno.writeTextFileSync(scratch.join("list"), "\ufeff/b\n");
  const out = scratch.join("out");
  await pbkfs(["pxar", "extract", archive, out, "--files-from", scratch.join("list")], true);
  assert.deepEqual([...Deno.readDirSync(out)].map(({ name }) => name), ["b"]);
});
