/**
 * Archives that have lost their end, and with it the table of the root: all that is there is found all the same.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ArchiveMount, pbkfs } from "./_archive_mount.ts";

const NAMES = ["a", "dir", "dir/inner", "dir/inner/x", "dir/y", "z"];

function makeTruncated(home: ArchiveMount["home"]): { tree: string; make: Promise<string> } {
  const tree = home.join("tree");
  Deno.mkdirSync(`${tree}/dir/inner`, { recursive: true });
  for (const name of ["a", "dir/inner/x", "dir/y", "z"]) {
    Deno.writeTextFileSync(`${tree}/${name}`, name.repeat(10_000));
  }
  const make = async () => {
    const archive = home.join("cut.pxar");
    await pbkfs(["pxar", "create", archive, tree], true);
    // The root's table has four items of 24 bytes, its tail included, and a header.
    Deno.truncateSync(archive, Deno.statSync(archive).size - 40);
    return archive;
  };
  return { tree, make: make() };
}

Deno.test("an archive without the root's table is listed, searched and compared, and what is wrong is named once", async () => {
  await using mount = new ArchiveMount();
  const { tree, make } = makeTruncated(mount.home);
  const archive = await make;
  const found = await pbkfs(["pxar", "find", archive]);
  assert.equal(found.code, 1);
  assert.deepEqual(found.stdout.trim().split("\n"), ["/", ...NAMES.map((name) => `/${name}`)]);
  assert.match(found.stderr, /^error: "\/": Cannot read GOODBYE/);
  assert.equal(found.stderr.trim().split("\n").length, 2, found.stderr);
  const listed = await pbkfs(["pxar", "ls", archive, "/", "/dir"]);
  assert.deepEqual([listed.code, listed.stdout], [1, "a\ndir\nz\ninner\ny\n"]);
  assert.match(listed.stderr, /^error: "\/": Cannot read GOODBYE/);
  const cat = await pbkfs(["pxar", "cat", archive, "/dir/inner/x"], true);
  assert.equal(cat.stdout, "dir/inner/x".repeat(10_000));
  assert.equal((await pbkfs(["pxar", "cat", archive, "/missing"])).code, 1);
  Deno.writeTextFileSync(`${tree}/dir/y`, "Y".repeat(50_000));
  const compared = await pbkfs(["pxar", "diff", archive, tree, "--ignore", "mtime"]);
  assert.deepEqual([compared.code, compared.stdout], [2, 'M "/dir/y" content\n']);
  assert.match(compared.stderr, /^error: "\/": Cannot read GOODBYE.*\n$/);
});

Deno.test("a mount of an archive without the root's table shows what is there, and tells of the rest by EIO", async () => {
  await using mount = new ArchiveMount();
  const archive = await makeTruncated(mount.home).make;
  await mount.mount(archive);
  const { root } = mount;
  assert.equal(Deno.readTextFileSync(`${root}/z`), "z".repeat(10_000));
  assert.deepEqual([...Deno.readDirSync(`${root}/dir`)].map(({ name }) => name), ["inner", "y"]);
  const { stdout } = await mount.sh(`ls "${root}" 2>&1; echo "exit $?"`);
  assert.match(stdout, /^ls: .*Input\/output error$/m);
  assert.match(stdout, /^a\ndir\nz$/m);
  assert.match(stdout, /^exit [12]$/m);
  assert.throws(() => Deno.lstatSync(`${root}/missing`), /os error 5/);
});

Deno.test("the record of exclude options is no difference between an archive and its directory", async () => {
  await using mount = new ArchiveMount();
  const { tree, make } = makeTruncated(mount.home);
  await make;
  const archive = mount.home.join("excluded.pxar");
  await pbkfs(["pxar", "create", archive, tree, "--exclude", "*.none"], true);
  assert.match((await pbkfs(["pxar", "list", archive], true)).stdout, /pxarexclude-cli/);
  const { code, stdout } = await pbkfs(["pxar", "diff", archive, tree]);
  assert.deepEqual([code, stdout], [0, ""]);
});
