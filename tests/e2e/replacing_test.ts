/**
 * What commands that make files do with what is there already: devices, FIFOs, links, directories
 * without write permission.
 *
 * @module
 */

import assert from "node:assert/strict";
import { hasLoopDevices } from "#tests/support/loop_devices.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { pbkfs } from "./_archive_mount.ts";
import { PbsStore } from "./_pbs_store.ts";

const IS_ROOT = Deno.uid() === 0;
const NOBODY = 65534;
const TIMEOUT_MS = 60_000;

async function bash(script: string, ...args: string[]): Promise<string> {
  const command = ["bash", "-ec", script, "bash", ...args];
  return (await runCommand(command, { timeoutMs: TIMEOUT_MS })).stdout;
}

/** Runs the program as a user without rights. */
function asNobody(args: readonly string[]) {
  const [program, ...rest] = pbkfsCommand(args);
  const { code, stdout, stderr } = new Deno.Command(program!, {
    args: rest,
    uid: NOBODY,
    gid: NOBODY,
    env: { HOME: "/nonexistent" },
  }).outputSync();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

async function archiveOf(scratch: TempDirectory, script: string): Promise<string> {
  const tree = scratch.join("tree");
  await bash('mkdir "$1"; cd "$1"; ' + script, tree);
  const archive = scratch.join("home.pxar");
  await pbkfs(["pxar", "create", archive, tree], true);
  return archive;
}

Deno.test({
  name: "no device, FIFO or socket is ever replaced by a file",
  ignore: !IS_ROOT,
  async fn() {
    using scratch = new TempDirectory("special");
    const archive = await archiveOf(scratch, "echo content > file");
    const kinds = { null: "c 1 3", fifo: "p", block: "b 240 7" };
    for (const [name, node] of Object.entries(kinds)) {
      await bash(`mknod "$1" ${node}`, scratch.join(name));
    }
    const before = await bash('stat -c "%F %t %T %i" "$1"/{null,fifo,block}', scratch.path);
    const other = scratch.join("tree");
    const refused = [
      ["pxar", "create", "FILE", other, "--overwrite"],
      ["pxar", "cp", archive, "-o", "FILE", "--overwrite"],
      ["pxar", "merge", archive, "-o", "FILE", "--overwrite"],
      ["pxar", "keygen", "FILE"],
      ["pbs", "key", "create", "FILE", "--kdf", "none"],
      ["pxar", "create", scratch.join("x.mpxar"), other, "--payload-output", "FILE", "--overwrite"],
    ];
    for (const name of Object.keys(kinds)) {
      for (const words of refused) {
        const args = words.map((word) => word === "FILE" ? scratch.join(name) : word);
        const { code, stderr } = await pbkfs(args);
        assert.equal(code, 1, `${args.join(" ")}: ${stderr}`);
        assert.match(stderr, /EEXIST/);
      }
      // In a tree that is restored.
      const target = Deno.makeTempDirSync({ dir: scratch.path });
      await bash(`mknod "$1/file" ${kinds[name as keyof typeof kinds]}`, target);
      const { code, stderr } = await pbkfs(["pxar", "extract", archive, target, "--overwrite"]);
      assert.equal(code, 1);
      assert.match(stderr, /Cannot create file in place of the (device|FIFO) "\/file": EEXIST/);
      assert.ok(!Deno.lstatSync(`${target}/file`).isFile);
    }
    // One file into them: what takes it gets the content.
    const into = ["pxar", "extract", archive, "/file", "--overwrite", "-o"];
    await pbkfs([...into, scratch.join("null")], true);
    const block = await pbkfs([...into, scratch.join("block")]);
    assert.equal(block.code, 1);
    const program = pbkfsCommand([...into, scratch.join("fifo")]);
    const read = await bash('cat "$1" & shift; "$@"; wait', scratch.join("fifo"), ...program);
    assert.equal(read, "content\n");
    const after = await bash('stat -c "%F %t %T %i" "$1"/{null,fifo,block}', scratch.path);
    assert.equal(after, before);
  },
});

Deno.test({
  name: "a second restore keeps devices and FIFOs that are the same",
  ignore: !IS_ROOT,
  async fn() {
    using scratch = new TempDirectory("nodes");
    const archive = await archiveOf(scratch, "mknod null c 1 3; mkfifo fifo; chmod 600 fifo");
    const target = scratch.join("out");
    await pbkfs(["pxar", "extract", archive, target], true);
    await bash('chmod 666 "$1/fifo"', target);
    const again = ["pxar", "extract", archive, target, "--overwrite", "--allow-existing-dirs"];
    await pbkfs(again, true);
    assert.equal(await bash('stat -c "%a" "$1/fifo"', target), "600\n");
    await bash('rm "$1/null"; mknod "$1/null" c 1 5', target);
    const other = await pbkfs(again);
    assert.equal(other.code, 1);
    assert.match(other.stderr, /create special file in place of the device "\/null"/);
    assert.equal(await bash('stat -c "%T" "$1/null"', target), "5\n");
  },
});

Deno.test({
  name: "pbs restore writes an image onto a block device that is large enough, when told to",
  ignore: !IS_ROOT || !hasLoopDevices(),
  async fn() {
    await using store = await PbsStore.create();
    const image = store.home.join("disk.raw");
    // Zeros in the middle must be written too: the device holds something else there.
    await bash('head -c 5000000 /dev/urandom > "$1"; truncate -s 9M "$1"', image);
    await bash('head -c 1M /dev/urandom >> "$1"', image);
    await store.backup([`disk.img:${image}`, "--backup-id", "vm"]);
    for (const [size, fits] of [["10M", true], ["12M", true], ["8M", false]] as const) {
      const file = store.home.join(`device-${size}`);
      await bash(`head -c ${size} /dev/zero | tr "\\0" x > "$1"`, file);
      const device = (await bash('losetup --find --show "$1"', file)).trim();
      try {
        const command = ["restore", "host/vm", "disk.img", device];
        const refused = await store.run(command);
        assert.equal(refused.code, 1);
        assert.match(refused.stderr, /EEXIST.*--overwrite/);
        const { code, stderr } = await store.run([...command, "--overwrite"]);
        assert.equal(code, fits ? 0 : 1, stderr);
        if (fits) await bash('cmp -n 10485760 "$1" "$2"', image, device);
        else {
          assert.match(stderr, /Cannot write 10485760 bytes onto ".*": it has 8388608/);
          assert.equal(await bash('tr -d x < "$1" | wc -c', device), "0\n");
        }
        await bash(`test -b "$1"`, device);
        const blob = await store.run(["restore", "host/vm", "index.json", device, "--overwrite"]);
        assert.equal(blob.code, 1);
        assert.match(blob.stderr, /Only images/);
      } finally {
        await bash('losetup -d "$1"', device);
      }
    }
  },
});

Deno.test("a link or file where a directory comes is named, and replaced where that is asked for", async () => {
  using scratch = new TempDirectory("in-the-way");
  const archive = await archiveOf(scratch, "mkdir a b; echo 1 > a/x; echo 2 > b/y");
  const target = scratch.join("out");
  await bash(
    'mkdir -p "$1" "$2"; ln -s "$2" "$1/a"; echo kept > "$1/b"',
    target,
    scratch.join("o"),
  );
  const command = ["pxar", "extract", archive, target, "--no-owner", "--allow-existing-dirs"];
  const refused = await pbkfs(command);
  assert.equal(refused.code, 1);
  const [a, b] = refused.stderr.split("\n");
  for (const [name, line] of [["a", a], ["b", b]] as const) {
    assert.match(
      line!,
      /^error: Cannot make directory in place of the (file|symbolic link) .*EEXIST/,
    );
    assert.ok(line!.includes(`"${target}/${name}"`), line);
    assert.match(line!, /--overwrite replaces it/);
  }
  await pbkfs([...command, "--overwrite-directories"], true);
  assert.equal(Deno.readTextFileSync(`${target}/a/x`), "1\n");
  assert.ok(Deno.lstatSync(`${target}/a`).isDirectory);
  assert.deepEqual([...Deno.readDirSync(scratch.join("o"))], []);
  const shared = await pbkfs(["pxar", "extract", archive, target, "--no-owner", "--overwrite"]);
  assert.match(shared.stderr, /Cannot make directory "\/a": EEXIST.*--allow-existing-dirs/);
});

Deno.test({
  name: "a user restores twice over directories without write permission, and hears once of owners",
  ignore: !IS_ROOT,
  async fn() {
    using scratch = new TempDirectory("read-only");
    const archive = await archiveOf(
      scratch,
      "mkdir -p a/b; echo 1 > a/b/x; echo 2 > a/y; chmod 555 a; chmod 100 a/b; chmod 555 .",
    );
    const target = scratch.join("out");
    await bash(
      'chmod 755 "$2"; chmod 644 "$3"; mkdir "$1"; chown 65534 "$1"',
      target,
      scratch.path,
      archive,
    );
    const command = ["pxar", "extract", archive, target, "--no-owner"];
    const more = [...command, "--overwrite", "--allow-existing-dirs"];
    for (const args of [command, more, more]) {
      const { code, stderr } = asNobody(args);
      assert.deepEqual([code, stderr], [0, ""]);
      const modes = await bash('cd "$1"; stat -c "%a" . a a/b; cat a/b/x', target);
      assert.equal(modes, "555\n555\n100\n1\n");
    }
    const kept = asNobody([...more, "--no-permissions", "--pattern", "/a/b/x"]);
    assert.deepEqual([kept.code, kept.stderr], [0, ""]);
    const owned = asNobody(more.filter((word) => word !== "--no-owner"));
    assert.equal(owned.code, 1);
    const errors = owned.stderr.split("\n").filter((line) => line.startsWith("error:"));
    assert.equal(errors.length, 1, owned.stderr);
    assert.match(errors[0]!, /Cannot set owner of .*EPERM.*--no-owner/);
    assert.match(owned.stderr, /1 problem/);
  },
});

Deno.test({
  name: "a file that attributes protect stays, and the message says how to see them",
  ignore: !IS_ROOT || !canProtect(),
  async fn() {
    using scratch = new TempDirectory("immutable");
    const archive = await archiveOf(scratch, "echo new > file");
    const target = scratch.join("out");
    await bash('mkdir "$1"; echo old > "$1/file"; chattr +i "$1/file"', target);
    try {
      const { code, stderr } = await pbkfs(["pxar", "extract", archive, target, "--overwrite"]);
      assert.equal(code, 1);
      assert.match(stderr, /Cannot replace "\/file": EPERM .*chattr -i -a/);
      assert.equal(Deno.readTextFileSync(`${target}/file`), "old\n");
    } finally {
      await bash('chattr -i "$1/file"', target);
    }
  },
});

/** Whether files can be made immutable here. */
function canProtect(): boolean {
  using scratch = new TempDirectory("attributes");
  const script = 'touch "$1" && chattr +i "$1" && chattr -i "$1"';
  const args = ["-c", script, "sh", scratch.join("file")];
  return new Deno.Command("sh", { args, stdout: "null", stderr: "null" }).outputSync().success;
}
