import assert from "node:assert/strict";
import * as host from "#ffi/libc/calls.ts";
import { NO_ACL } from "#src/bytes/acl.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { build, checkArchive, entryAt, IS_ROOT, makeTree, tool } from "./_build_support.ts";

/** Runs a tool on the tree. @returns false, and says so, when it is missing or fails here */
async function prepared(...command: string[]): Promise<boolean> {
  const result = await tool(...command);
  if (result?.code === 0) return true;
  console.log(`not tested here: ${command[0]} ${result?.stderr.trim() ?? "is not installed"}`);
  return false;
}

function text(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}

Deno.test("buildArchive() stores the xattrs that the client stores, in the order of the kernel", async () => {
  using scratch = new TempDirectory("xattr");
  makeTree(scratch.path, { file: "1", "dir/x": "" });
  const { file, dir } = { file: scratch.join("file"), dir: scratch.join("dir") };
  for (const name of ["user.zz", "user.aa", "user.empty"]) {
    const value = name === "user.empty" ? "" : `value of ${name}`;
    if (!await prepared("setfattr", "-n", name, "-v", value, file)) return;
  }
  // Together longer than the list that is asked for first.
  for (let index = 0; index < 15; index++) {
    assert.ok(await prepared("setfattr", "-n", `user.${index}${"n".repeat(50)}`, "-v", "", file));
  }
  assert.ok(await prepared("setfattr", "-n", "user.d", "-v", "0x00ff00", dir));
  if (IS_ROOT) {
    await prepared("setfattr", "-n", "trusted.t", "-v", "t", file);
    await prepared("setfattr", "-n", "security.other", "-v", "no", file);
    await prepared("setfattr", "-n", "security.NTACL", "-v", "nt", file);
  }
  const fd = host.open(file, host.OpenFlag.RDONLY);
  const listed = host.listXattr(fd);
  host.close(fd);
  assert.ok(typeof listed !== "number");
  const order = text(listed).split("\0").filter((name) =>
    name.startsWith("user.") || name.startsWith("trusted.") || name === "security.NTACL"
  );
  for (const isSplit of [false, true]) {
    const built = build(scratch.path, {}, isSplit);
    const { xattrs } = entryAt(built, "/file").metadata;
    assert.deepEqual(xattrs.map(({ name }) => name), order);
    const values = new Map(xattrs.map(({ name, value }) => [name, text(value)]));
    assert.equal(values.get("user.zz"), "value of user.zz");
    assert.equal(values.get("user.empty"), "");
    assert.deepEqual(entryAt(built, "/dir").metadata.xattrs[0]?.value, Uint8Array.of(0, 255, 0));
    await checkArchive(built);
  }
  const bare = entryAt(build(scratch.path, { xattrs: false }), "/file").metadata;
  assert.deepEqual(bare.xattrs, []);
});

Deno.test("buildArchive() stores ACLs without what the mode says", async () => {
  using scratch = new TempDirectory("acl");
  makeTree(scratch.path, { file: "1", dir: null, plain: "" });
  const { file, dir } = { file: scratch.join("file"), dir: scratch.join("dir") };
  Deno.chmodSync(file, 0o640);
  if (!await prepared("setfacl", "-m", "u:1000:rw,u:7:r,g:50:rwx,m::rwx", file)) return;
  assert.ok(await prepared("setfacl", "-d", "-m", "u::rwx,g::rx,o::-,u:9:rw,g:8:r,m::rwx", dir));
  const built = build(scratch.path);
  const { acl, mode } = entryAt(built, "/file").metadata;
  assert.equal(mode, 0o100670);
  assert.deepEqual(acl, {
    ...NO_ACL,
    users: [{ id: 7n, permissions: 4n }, { id: 1000n, permissions: 6n }],
    groups: [{ id: 50n, permissions: 7n }],
    groupObject: 4n,
  });
  assert.deepEqual(entryAt(built, "/dir").metadata.acl, {
    ...NO_ACL,
    default: { userObject: 7n, groupObject: 5n, other: 0n, mask: 7n },
    defaultUsers: [{ id: 9n, permissions: 6n }],
    defaultGroups: [{ id: 8n, permissions: 4n }],
  });
  assert.equal(entryAt(built, "/plain").metadata.acl, NO_ACL);
  await checkArchive(built);
  for (const options of [{ acls: false }, { xattrs: false }]) {
    assert.equal(entryAt(build(scratch.path, options), "/file").metadata.acl, NO_ACL);
  }
});

Deno.test({
  name: "buildArchive() stores file capabilities as the kernel gives them",
  ignore: !IS_ROOT,
  async fn() {
    using scratch = new TempDirectory("fcaps");
    makeTree(scratch.path, { file: "1" });
    if (!await prepared("setcap", "cap_net_raw=ep", scratch.join("file"))) return;
    const built = build(scratch.path);
    const { fcaps, xattrs } = entryAt(built, "/file").metadata;
    assert.equal(fcaps?.toHex(), "0100000200200000000000000000000000000000");
    assert.deepEqual(xattrs, []);
    await checkArchive(built);
    assert.equal(entryAt(build(scratch.path, { fcaps: false }), "/file").metadata.fcaps, undefined);
  },
});

Deno.test({
  name: "buildArchive() stores the attributes of chattr",
  ignore: !IS_ROOT,
  async fn() {
    using scratch = new TempDirectory("chattr");
    makeTree(scratch.path, { file: "1", "dir/x": "" });
    const { file, dir } = { file: scratch.join("file"), dir: scratch.join("dir") };
    if (!await prepared("chattr", "+adAiS", file)) return;
    try {
      assert.ok(await prepared("chattr", "+D", dir));
      const built = build(scratch.path);
      const { flags } = entryAt(built, "/file").metadata;
      assert.equal(flags, 0x10000n | 0x20000n | 0x100000n | 0x400000n | 0x800000n);
      assert.equal(entryAt(built, "/dir").metadata.flags, 0x200000n);
      assert.equal(entryAt(built, "/dir/x").metadata.flags & ~0x200000n, 0n);
      await checkArchive(built);
    } finally {
      await tool("chattr", "-ai", file);
    }
  },
});

Deno.test({
  name: "buildArchive() stores project ids",
  ignore: !IS_ROOT,
  async fn() {
    using scratch = new TempDirectory("project");
    const image = scratch.join("image");
    const disk = scratch.join("disk");
    Deno.mkdirSync(disk);
    Deno.writeFileSync(image, new Uint8Array(0));
    Deno.truncateSync(image, 16 << 20);
    if (!await prepared("mkfs.ext4", "-q", "-F", "-I", "256", "-O", "project,quota", image)) return;
    if (!await prepared("mount", "-o", "loop", image, disk)) return;
    try {
      makeTree(disk, { "dir/file": "1", other: "" });
      if (!await prepared("chattr", "-R", "-p", "4711", `${disk}/dir`)) return;
      const built = build(disk);
      assert.equal(entryAt(built, "/dir").metadata.projectId, 4711n);
      assert.equal(entryAt(built, "/dir/file").metadata.projectId, 4711n);
      assert.equal(entryAt(built, "/other").metadata.projectId, 0n);
      await checkArchive(built);
    } finally {
      await tool("umount", disk);
    }
  },
});

Deno.test("buildArchive() stores owners, modes and every kind of node", async () => {
  using scratch = new TempDirectory("nodes");
  makeTree(scratch.path, { file: "1", link: { symlink: "no/where" } });
  const long = "x".repeat(255);
  Deno.writeTextFileSync(scratch.join(long), "long");
  Deno.chmodSync(scratch.join("file"), 0o6751);
  const mknod = (name: string, mode: number, rdev = 0) =>
    host.mknodAt(host.At.FDCWD, scratch.join(name), mode, rdev);
  assert.equal(mknod("fifo", 0o010600), 0);
  assert.equal(mknod("socket", 0o140755), 0);
  const hasDevices = IS_ROOT && mknod("char", 0o020666, 1 << 8 | 3) === 0 &&
    mknod("block", 0o060600, (0x123 << 8 | 0x34 | 0x56700 << 12) >>> 0) === 0;
  if (IS_ROOT) {
    host.chownAt(host.At.FDCWD, scratch.join("link"), 12, 34);
    host.chownAt(host.At.FDCWD, scratch.join("file"), 65534, 65533);
    Deno.chmodSync(scratch.join("file"), 0o6751);
  }
  const built = build(scratch.path);
  assert.equal(entryAt(built, "/file").metadata.mode, 0o106751);
  const link = entryAt(built, "/link");
  assert.ok(link.kind === "symlink" && link.target === "no/where");
  if (IS_ROOT) {
    assert.deepEqual([link.metadata.uid, link.metadata.gid], [12, 34]);
    const { uid, gid } = entryAt(built, "/file").metadata;
    assert.deepEqual([uid, gid], [65534, 65533]);
  }
  assert.equal(entryAt(built, "/fifo").kind, "fifo");
  assert.equal(entryAt(built, "/socket").kind, "socket");
  assert.equal(entryAt(built, `/${long}`).kind, "file");
  if (hasDevices) {
    const char = entryAt(built, "/char");
    assert.ok(char.kind === "device" && char.major === 1n && char.minor === 3n);
    const block = entryAt(built, "/block");
    assert.ok(block.kind === "device" && block.major === 0x123n && block.minor === 0x56734n);
  }
  await checkArchive(built);
});
