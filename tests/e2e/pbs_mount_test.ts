/**
 * Mounted archives and mapped images of snapshots: equal to what is restored of them, for several
 * processes at a time.
 *
 * @module
 */

import assert from "node:assert/strict";
import { findMount } from "#src/mount/mod.ts";
import { bash, makeEverythingTree } from "#tests/support/everything_tree.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import {
  goldenDatastore,
  HAS_ALL_CHUNKS,
  KEY_PASSPHRASE,
  PBS_KEYS,
} from "#tests/support/pbs_fixtures.ts";
import { runCommand, waitUntil } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { PbsStore, runPbs } from "./_pbs_store.ts";

const TIMEOUT_MS = 120_000;
const SMALL_FILES = 300;
const SPARSE_SIZE = 32 << 20;
const IS_ROOT = Deno.uid() === 0;

/** A mount point; whatever is mounted at the end is taken down. */
class MountPlace implements AsyncDisposable {
  readonly home = new TempDirectory("pbs-mount");
  readonly root = this.home.join("mnt");

  constructor() {
    Deno.mkdirSync(this.root);
  }

  async unmount(): Promise<void> {
    await runCommand(pbkfsCommand(["unmount", "-D", this.root]), { timeoutMs: TIMEOUT_MS });
    assert.equal(findMount(this.root), undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runCommand(["umount", "-l", this.root], { timeoutMs: 10_000, check: false });
    this.home[Symbol.dispose]();
  }
}

/** What `pbkfs stat` prints. */
async function statistics(mountPoint: string): Promise<string> {
  const command = pbkfsCommand(["stat", "-D", mountPoint]);
  const { stdout } = await runCommand(command, { timeoutMs: TIMEOUT_MS });
  return stdout;
}

/** All contents, by several processes at a time. */
async function digests(directory: string): Promise<string> {
  const script = 'cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum';
  const all = await Promise.all([1, 2, 3].map(() => bash(script, directory)));
  assert.equal(all[1], all[0]);
  assert.equal(all[2], all[0]);
  return all[0]!;
}

const remove = (path: string) => bash('chattr -R -f -ai "$1" || true; rm -rf "$1"', path);

/**
 * Everything stat(2) and listxattr(2) tell but inode numbers, and sizes and link counts of
 * directories.
 */
const DESCRIBE = String.raw`cd "$1" &&
  find . -type d -printf '%P %y %m %U %G %Ts\n' -o -printf '%P %y %m %U %G %s %n %l %T@\n' | LC_ALL=C sort &&
  find . -type b -o -type c | LC_ALL=C sort | xargs -r stat -c '%n %t %T' &&
  find . ! -type l -print0 | LC_ALL=C sort -z | xargs -0 getfattr -h -d -m - -e hex --absolute-names`;

/** One tree after the other: both have the same lines. */
async function assertSameTrees(mounted: string, restored: string): Promise<void> {
  const actual = (await bash(DESCRIBE, mounted)).split("\n");
  const wanted = (await bash(DESCRIBE, restored)).split("\n");
  const first = wanted.findIndex((line, index) => line !== actual[index]);
  assert.equal(actual[first], wanted[first], "first difference");
  assert.equal(actual.length, wanted.length);
  assert.equal(await digests(mounted), await digests(restored));
}

/** Who reads a snapshot keeps it from being removed. */
async function assertKept(store: PbsStore, id: string): Promise<void> {
  const records = (await store.must(["snapshots", "--format", "jsonl"])).trim().split("\n");
  const own = records.map((line) => JSON.parse(line)).find((each) => each["backup-id"] === id);
  const time = new Date(own["backup-time"] * 1000).toISOString().replace(".000Z", "Z");
  const { code, stderr } = await store.run(["forget", `host/${id}/${time}`]);
  assert.equal(code, 1);
  assert.match(stderr, /lock|busy|use/);
}

Deno.test({
  name: "a mounted archive of a snapshot is equal to its restoration, in every mode and with a key",
  ignore: !IS_ROOT,
  fn: async (t) => {
    await using store = await PbsStore.create();
    const tree = store.home.join("tree");
    Deno.mkdirSync(tree);
    await makeEverythingTree(tree, SMALL_FILES, SPARSE_SIZE);
    const key = ["--keyfile", `${PBS_KEYS}/key-scrypt.json`];
    const env = { PBS_ENCRYPTION_PASSWORD: KEY_PASSPHRASE };
    for (const [mode, options] of [["legacy", []], ["data", []], ["metadata", key]] as const) {
      await t.step(`${mode} ${options.join(" ").replaceAll(/\S*\//g, "")}`, async () => {
        const place = ["--change-detection-mode", mode, "--backup-id", mode];
        await store.backup([`root.pxar:${tree}`, ...place, ...options], { env });
        const restored = store.home.join("restored");
        await store.must(["restore", `host/${mode}`, "root.pxar", restored, ...options], { env });
        await using mount = new MountPlace();
        await store.must(
          ["mount", `host/${mode}`, "root.pxar", mount.root, "--workers", "3", ...options],
          { env },
        );
        assert.match(
          findMount(mount.root)!.source,
          new RegExp(`^pbkfs:host/${mode}/.*/root.pxar$`),
        );
        await assertSameTrees(mount.root, restored);
        if (mode === "legacy") await assertKept(store, mode);
        await mount.unmount();
        await remove(restored);
      });
    }
    await remove(tree);
  },
});

Deno.test({
  name: "mounted golden snapshots have the contents that the real client restores",
  ignore: !IS_ROOT || !HAS_ALL_CHUNKS,
  fn: async (t) => {
    const env = {
      PBS_REPOSITORY: `dir:${goldenDatastore()}`,
      PBS_ENCRYPTION_PASSWORD: KEY_PASSPHRASE,
    };
    const key = ["--keyfile", `${PBS_KEYS}/key-scrypt.json`];
    for (
      const [snapshot, options] of [
        ["host/alpha", []],
        ["host/split", []],
        ["host/enc", key],
        ["host/splitenc", key],
      ] as const
    ) {
      await t.step(snapshot, async () => {
        await using mount = new MountPlace();
        const restored = mount.home.join("restored");
        for (
          const args of [
            ["restore", snapshot, "root.pxar", restored],
            ["mount", snapshot, "root.pxar", mount.root],
          ]
        ) {
          const { code, stderr } = await runPbs([...args, ...options], { env });
          assert.equal(code, 0, stderr);
        }
        await assertSameTrees(mount.root, restored);
        await mount.unmount();
      });
    }
  },
});

Deno.test({
  name: "pbs map shows an image as a file and as a block device, until pbs unmap",
  ignore: !IS_ROOT,
  fn: async () => {
    await using store = await PbsStore.create();
    const image = store.home.join("disk.raw");
    await bash('head -c 12000256 /dev/urandom >"$1"', image);
    await store.must(["backup", `disk.img:${image}`, "--backup-type", "vm", "--backup-id", "1"]);
    const name = `vm/1`;

    await using mount = new MountPlace();
    const file = await store.must(["map", name, "disk.img", mount.root, "--no-loop"]);
    assert.equal(file, `${mount.root}/disk.img\n`);
    await bash('cmp "$1" "$2"', image, file.trim());
    assert.match(await statistics(mount.root), /^pbkfs:vm\/1\/.*disk\.img: .*^read +.* 11MB /ms);
    assert.match(await store.must(["unmap", "--format", "jsonl"]), /"file":".*\/mnt\/disk\.img"/);
    const { root } = mount;
    const relative = root.slice(root.lastIndexOf("/") + 1);
    const place = root.slice(0, -relative.length);
    await store.must(["unmap", `${place}/../${place.split("/").at(-2)}/${relative}/`]);
    assert.equal(findMount(mount.root), undefined);
    // Called as those that the program makes, but somebody else's.
    const other = store.home.join("map-disk");
    await bash('mkdir "$1"', other);
    await store.must(["map", name, "disk.img", other, "--no-loop"]);
    await store.must(["unmap", other]);
    assert.ok(Deno.statSync(other).isDirectory);

    const { code, stdout, stderr } = await store.run(["map", name, "disk.img"]);
    assert.equal(code, 0, stderr);
    const device = stdout.trim();
    if (!device.startsWith("/dev/loop")) {
      // A host without loop devices: the file is there all the same, and it is said why.
      assert.match(stderr, /no block device/);
    }
    await bash('cmp "$1" "$2"', image, device);
    await store.must(["unmap", device.startsWith("/dev/") ? device : "disk.img"]);
    assert.equal((await store.run(["unmap", device])).code, 1);
    const unknown = await store.run(["map", name, "vm.conf"]);
    assert.equal(unknown.code, 2);
  },
});

Deno.test({
  name: "pbs unmap does not wait for a worker that is stopped, and --force ends it",
  ignore: !IS_ROOT,
  fn: async () => {
    await using store = await PbsStore.create();
    const image = store.home.join("disk.raw");
    await bash('head -c 8000000 /dev/urandom >"$1"', image);
    await store.must(["backup", `disk.img:${image}`, "--backup-type", "vm", "--backup-id", "1"]);
    const mapped = await store.must(["map", "vm/1", "disk.img", "--format", "json"]);
    const { pid, file, device } = JSON.parse(mapped);
    Deno.kill(pid, "SIGSTOP");
    const refused = await store.run(["unmap", device ?? "disk.img"]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, new RegExp(`worker ${pid} .* is stopped.*unmap .* --force`));
    await store.must(["unmap", device ?? "disk.img", "--force"]);
    const directory = file.slice(0, file.lastIndexOf("/"));
    assert.equal(findMount(directory), undefined);
    assert.throws(() => Deno.statSync(directory), Deno.errors.NotFound);
    assert.doesNotMatch(await store.must(["unmap"]), /disk\.img/);
    assert.ok(!(await bash("losetup --list")).includes(directory), "no device has it");
  },
});

/**
 * Bytes read in order before a thread starts that reads ahead, and enough of them to be worth it.
 */
const LONG_FILE_SIZE = 80 << 20;

Deno.test({
  name: "a mounted snapshot that is read in order gets one more thread, which reads ahead",
  ignore: !IS_ROOT,
  fn: async () => {
    await using store = await PbsStore.create();
    const tree = store.home.join("tree");
    await bash('mkdir "$1" && head -c "$2" /dev/urandom >"$1/long"', tree, String(LONG_FILE_SIZE));
    await store.backup([`root.pxar:${tree}`, "--backup-id", "x"]);
    await using mount = new MountPlace();
    const stdout = await store.must(
      ["mount", "host/x", "root.pxar", mount.root, "--workers", "2", "--format", "json"],
    );
    const threads = () => bash('cat /proc/"$1"/task/*/comm', String(JSON.parse(stdout).pid));
    const countWorkers = async () => (await threads()).match(/^worker-/gm)!.length;
    // The second one starts when the mount answers already.
    await waitUntil(async () => await countWorkers() === 2, 20_000, () => "two workers");
    await bash('cmp "$1/long" "$2/long"', tree, mount.root);
    // The one that reads ahead; on a busy machine also the one that answers while others wait.
    const count = await countWorkers();
    assert.ok(count === 3 || count === 4, `${count} threads`);
    assert.match(await statistics(mount.root), /^pbkfs:host\/x\/.*: .*^read +.* 80MB /ms);
  },
});

Deno.test({
  name: "pbs mount says why it cannot, and mounts nothing then",
  ignore: !IS_ROOT,
  fn: async () => {
    await using store = await PbsStore.create();
    await store.must(["backup", "a.conf:/etc/hostname", "--backup-id", "x"]);
    await using mount = new MountPlace();
    for (
      const [args, code, message] of [
        [["mount", "host/x", "root.pxar", mount.root], 1, /does not contain file/],
        [["mount", "host/x", "a.conf", mount.root], 2, /not an archive/],
        [["mount", "host/nope", "root.pxar", mount.root], 1, /host\/nope: Did you mean "host\/x\//],
      ] as const
    ) {
      const result = await store.run(args);
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, message);
    }
    assert.equal(findMount(mount.root), undefined);
  },
});
