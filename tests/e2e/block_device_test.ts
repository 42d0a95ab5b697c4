/**
 * Images on block devices, as the source of a backup and as the target of its restoration. A device
 * here is a file behind a loop device.
 *
 * @module
 */

import assert from "node:assert/strict";
import { bash } from "#tests/support/everything_tree.ts";
import { hasLoopDevices } from "#tests/support/loop_devices.ts";
import { PbsStore } from "./_pbs_store.ts";

const IS_ROOT = Deno.uid() === 0;
/** Whole sectors, but no whole chunk at the end. */
const SIZE = (9 << 20) + 512 * 3;
/** Where a loop device starts that is a part of its file. */
const PART_OFFSET = 1 << 20;

/** Files as block devices, until the end. */
class Devices implements AsyncDisposable {
  readonly #paths: string[] = [];

  async attach(file: string, ...options: readonly string[]): Promise<string> {
    const path = (await bash('losetup --find --show "$@"', ...options, file)).trim();
    this.#paths.push(path);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const path of this.#paths) await bash('losetup -d "$1"', path);
  }
}

/** Digest of the one image of a group's last snapshot. */
async function digestOf(store: PbsStore, group: string): Promise<string> {
  const files = JSON.parse(await store.must(["snapshot", "files", group, "--format", "json"]));
  return JSON.stringify(
    files.filter(({ filename }: { filename: string }) => filename === "disk.img.fidx"),
  );
}

Deno.test({
  name: "a block device is backed up like the file behind it, and restored onto another device",
  ignore: !IS_ROOT || !hasLoopDevices(),
  async fn() {
    await using store = await PbsStore.create();
    await using devices = new Devices();
    const [file, empty, grown] = ["disk.raw", "empty", "grown"].map((name) =>
      store.home.join(name)
    );
    // With zeros in the middle and at the end, some of them a hole of the file.
    await bash(
      'head -c 5000000 /dev/urandom >"$1"; head -c 500000 /dev/zero >>"$1"; truncate -s 8M "$1"; ' +
        'head -c 70000 /dev/urandom >>"$1"; truncate -s "$2" "$1"',
      file!,
      `${SIZE}`,
    );
    const device = await devices.attach(file!, "--read-only");
    const source = `disk.img:${device}`;
    const planned = await store.backup([source, "--backup-id", "device", "--dry-run"]);
    assert.match(JSON.stringify(planned), new RegExp(`"size":${SIZE}\\b`));
    for (const [id, from] of [["device", source], ["file", `disk.img:${file}`]] as const) {
      const made = await store.backup([from, "--backup-id", id, "--error-on-incomplete"]);
      assert.match(JSON.stringify(made), new RegExp(`"size":${SIZE}\\b`));
    }
    const digest = await digestOf(store, "host/device");
    assert.match(digest, new RegExp(`"size":${SIZE}\\b`));
    assert.equal(digest, await digestOf(store, "host/file"));

    for (const [path, size] of [[empty!, SIZE], [grown!, SIZE + (1 << 20)]] as const) {
      await bash('head -c "$2" /dev/zero | tr "\\0" x >"$1"', path, `${size}`);
      const target = await devices.attach(path);
      await store.must(["restore", "host/device", "disk.img", target, "--overwrite"]);
      await bash('cmp -n "$3" "$1" "$2"', device, target, `${SIZE}`);
      assert.equal(
        await bash('tail -c +"$2" "$1" | tr -d x | wc -c', target, `${SIZE + 1}`),
        "0\n",
      );
    }
    // A part of a disk, as a partition is.
    const part = await devices.attach(file!, "--read-only", "--offset", `${PART_OFFSET}`);
    await store.backup([`disk.img:${part}`, "--backup-id", "part"]);
    const restored = store.home.join("part");
    await store.must(["restore", "host/part", "disk.img", restored]);
    await bash('cmp "$1" <(tail -c +"$3" "$2")', restored, file!, `${PART_OFFSET + 1}`);
    // What is shown as a device can be backed up again.
    const mapped = (await store.must(["map", "host/device", "disk.img"])).trim();
    try {
      await store.backup([`disk.img:${mapped}`, "--backup-id", "mapped"]);
    } finally {
      await store.must(["unmap", mapped]);
    }
    assert.equal(await digestOf(store, "host/mapped"), digest);
    await store.check();
  },
});

Deno.test({
  name: "a block device with a bad sector is backed up with zeros there, and not when told so",
  ignore: !IS_ROOT || !hasLoopDevices(),
  async fn() {
    await using store = await PbsStore.create();
    await using devices = new Devices();
    const file = store.home.join("disk.raw");
    await bash('head -c 6M /dev/urandom >"$1"', file);
    const device = await devices.attach(file);
    // The file behind the device loses its end: what is there fails with EIO.
    await bash('truncate -s 5M "$1"', file);
    const backup = ["backup", `disk.img:${device}`, "--backup-id", "bad"];
    const strict = await store.run([...backup, "--error-on-incomplete"]);
    assert.equal(strict.code, 1);
    assert.match(
      strict.stderr,
      /Stopped at "\/dev\/loop\d+", which would be missing or incomplete/,
    );
    assert.doesNotMatch(await store.must(["snapshots"]), /host\/bad/);
    const { code, stderr } = await store.run(backup);
    assert.equal(code, 1);
    assert.match(stderr, /1048576 bytes at offset 5242880: EIO|at offset 5242880/);
    const restored = store.home.join("restored");
    await store.must(["restore", "host/bad", "disk.img", restored]);
    await bash('truncate -s 6M "$1"; cmp "$1" "$2"', file, restored);
  },
});
