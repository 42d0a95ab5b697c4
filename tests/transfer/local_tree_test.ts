import assert from "node:assert/strict";
import { OsError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { copyTree, diffTrees, LocalTree, walkEntries } from "#src/transfer/mod.ts";
import { findEntry } from "#src/tree/mod.ts";
import { runCommand } from "#tests/support/process.ts";
import { checkTree } from "#tests/support/tree_conformance.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { checkArchives, makeArchive, openArchive } from "./_archives.ts";
import { describeTree } from "./_model.ts";

/** A directory with a bit of everything. */
async function fill(place: TempDirectory): Promise<void> {
  Deno.mkdirSync(place.join("d", "deep"), { recursive: true });
  Deno.writeTextFileSync(place.join("d", "f"), "content");
  Deno.linkSync(place.join("d", "f"), place.join("link"));
  Deno.symlinkSync("/etc", place.join("symlink"));
  await runCommand(["mkfifo", place.join("fifo")], { timeoutMs: 5000 });
  const value = new TextEncoder().encode("value");
  host.unwrap(host.setLinkXattr(place.join("d", "f"), "user.test", value, 0), "setxattr", "d/f");
  Deno.utimeSync(place.join("d", "f"), 1_600_000_000.5, -1.5);
}

Deno.test("LocalTree is a tree", async () => {
  using place = new TempDirectory("reader");
  await fill(place);
  checkTree(new LocalTree(place.path));
});

Deno.test("LocalTree shows all that system calls tell", async () => {
  using place = new TempDirectory("reader");
  await fill(place);
  const reader = new LocalTree(place.path);
  assert.deepEqual([...walkEntries(reader)].map(({ path, entry }) => [path, entry.kind]), [
    ["/", "directory"],
    ["/d", "directory"],
    ["/d/deep", "directory"],
    ["/d/f", "file"],
    ["/fifo", "fifo"],
    ["/link", "file"],
    ["/symlink", "symlink"],
  ]);
  const file = findEntry(reader, "/d/f");
  assert.ok(file?.kind === "file");
  assert.deepEqual(file.metadata.mtime, { seconds: -2, nanoseconds: 500_000_000 });
  assert.deepEqual(file.metadata.xattrs.map(({ name }) => name), ["user.test"]);
  assert.equal(file.linkCount, 2);
  assert.equal(file.id, findEntry(reader, "/link")?.id);
  assert.equal(findEntry(reader, "/d/nothing"), undefined);
  assert.equal(findEntry(reader, "/symlink/passwd"), undefined);
});

Deno.test("LocalTree gives a tree to copy and to compare with", async () => {
  using place = new TempDirectory("reader");
  await fill(place);
  const archive = makeArchive(2, (writer) => copyTree(new LocalTree(place.path), writer));
  await checkArchives([archive]);
  assert.deepEqual(describeTree(openArchive(archive)), describeTree(new LocalTree(place.path)));
  assert.deepEqual([...diffTrees(openArchive(archive), new LocalTree(place.path))], []);
  host.unwrap(host.removeLinkXattr(place.join("d", "f"), "user.test"), "removexattr", "d/f");
  Deno.chmodSync(place.join("d", "deep"), 0o700);
  const changes = [...diffTrees(openArchive(archive), new LocalTree(place.path))]
    .map((difference) => [difference.path, difference.type === "changed" && difference.fields]);
  assert.deepEqual(changes, [["/d/deep", ["mode"]], ["/d/f", ["xattrs"]], ["/link", ["xattrs"]]]);
});

Deno.test("LocalTree refuses what is no directory, leaves nothing open and fails on what vanished", async () => {
  using place = new TempDirectory("reader");
  await fill(place);
  const code = (run: () => unknown) => {
    try {
      run();
    } catch (error) {
      return error instanceof OsError ? error.code : error;
    }
  };
  assert.equal(code(() => new LocalTree(place.join("symlink"))), "ELOOP");
  assert.equal(code(() => new LocalTree(place.join("fifo"))), "ENOTDIR");
  assert.equal(code(() => new LocalTree(place.join("nothing"))), "ENOENT");
  const open = async () => {
    const command = ["sh", "-c", 'ls -l "/proc/$1/fd"', "sh", String(Deno.pid)];
    // Fails when a descriptor of anything else in this process is closed between listing and look.
    const { stdout } = await runCommand(command, { timeoutMs: 5000, check: false });
    assert.match(stdout, /-> /);
    return stdout.split("\n").filter((line) => line.includes(place.path));
  };
  const reader = new LocalTree(place.path);
  const file = findEntry(reader, "/d/f");
  const directory = findEntry(reader, "/d");
  assert.equal(describeTree(reader).length, 7);
  Deno.removeSync(place.join("d"), { recursive: true });
  assert.equal(code(() => file?.kind === "file" && file.open()), "ENOENT");
  assert.equal(code(() => directory?.kind === "directory" && directory.entries()), "ENOENT");
  assert.deepEqual(await open(), []);
});
