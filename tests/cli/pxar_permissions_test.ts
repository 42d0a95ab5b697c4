/**
 * Which permissions each command on archives needs: exactly those of docs/permissions.md, and no
 * FFI.
 */

import assert from "node:assert/strict";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { fixture, pxar } from "./_pxar.ts";

const READING: readonly (readonly string[])[] = [
  ["ls", fixture("kinds.pxar")],
  ["ls", "-l", fixture("kinds.mpxar"), "/linkdir"],
  ["list", fixture("kinds.pxar")],
  ["cat", fixture("kinds.pxar"), "/fcaps"],
  ["cat", fixture("kinds.mpxar"), "/linkdir/b-hardlink"],
  ["find", fixture("kinds.pxar"), "-t", "f"],
  ["stat", fixture("kinds.pxar"), "/z-all"],
  ["diff", fixture("kinds.pxar"), fixture("kinds.mpxar")],
  ["verify", fixture("kinds.pxar")],
  ["verify", fixture("kinds.mpxar")],
  ["extract", fixture("kinds.pxar"), "/fcaps", "-o", "-"],
  ["extract", fixture("kinds.pxar"), "/nowhere", "--dry-run"],
  ["keygen"],
];

for (const args of READING) {
  Deno.test(`pbkfs pxar ${args[0]} needs the permission to read and nothing else: ${args.slice(1).join(" ").replaceAll(/\S*\//g, "")}`, async () => {
    const { code, stderr } = await pxar(args, args[0] === "keygen" ? [] : ["--allow-read"]);
    assert.equal(stderr, "");
    assert.equal(code, 0);
  });
}

Deno.test("pbkfs pxar diff compares with a directory with the permission to read alone", async () => {
  using home = new TempDirectory("pxar");
  const archive = fixture("onefile.pxar");
  const write = ["--allow-read", `--allow-write=${home.join("out")}`];
  await pxar(["extract", archive, home.join("out"), "--no-owner", "--no-xattrs"], write);
  const args = ["diff", archive, home.join("out"), "--ignore", "uid,gid"];
  assert.deepEqual(await pxar(args, ["--allow-read"]), { code: 0, stdout: "", stderr: "" });
  Deno.writeTextFileSync(home.join("out/hello.txt"), "changed");
  const { code, stdout } = await pxar(args, ["--allow-read"]);
  assert.equal(code, 1);
  assert.match(stdout, /^M "\/hello\.txt" .*content$/m);
});

for (const name of ["hardlinks.pxar", "hardlinks.mpxar", "dir300.pxar", "onefile.mpxar"]) {
  Deno.test(`pbkfs pxar extract --no-owner --no-xattrs writes only its target, without FFI: ${name}`, async () => {
    using home = new TempDirectory("pxar");
    const target = home.join("out");
    const permissions = ["--allow-read", `--allow-write=${target}`];
    const args = ["extract", fixture(name), target, "--no-owner", "--no-xattrs"];
    const { code, stderr } = await pxar(args, permissions);
    assert.equal(stderr, "");
    assert.equal(code, 0);
    const diff = ["diff", fixture(name), target, "--ignore", "uid,gid"];
    assert.equal((await pxar(diff)).stdout, "");
  });
}

Deno.test("pbkfs pxar extract without FFI reports what it cannot restore", async () => {
  using home = new TempDirectory("pxar");
  const target = home.join("out");
  const permissions = ["--allow-read", `--allow-write=${target}`];
  const args = ["extract", fixture("kinds.pxar"), target, "--no-owner", "--no-xattrs"];
  const { code, stderr } = await pxar([...args, "--format", "json"], permissions);
  assert.equal(code, 1);
  const lines = stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.equal(lines.at(-1).code, "partial");
  assert.ok(lines.some(({ path }) => path === "/fifo"));
  assert.ok(!lines.some(({ path }) => path === "/linkdir/a-original"));
});

Deno.test("pbkfs pxar cp writes with the runtime's own calls where there is no FFI", async () => {
  using home = new TempDirectory("pxar");
  const permissions = ["--allow-read", `--allow-write=${home.path}`];
  const args = ["cp", fixture("kinds.pxar"), "-o", home.join("k.mpxar")];
  const { code, stderr } = await pxar(args, permissions);
  assert.equal(stderr, "");
  assert.equal(code, 0);
  assert.deepEqual(
    Deno.readFileSync(home.join("k.ppxar")),
    Deno.readFileSync(fixture("kinds.ppxar")),
  );
});
