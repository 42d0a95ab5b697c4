/**
 * Writable mounts of what is more than one plain archive: split archives, snapshots with a key and
 * in each mode of change detection, and images.
 *
 * @module
 */

import assert from "node:assert/strict";
import { bash } from "#tests/support/everything_tree.ts";
import { hasLoopDevices } from "#tests/support/loop_devices.ts";
import { hasPrograms } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { PbsStore } from "./_pbs_store.ts";
import { exercise, makeArchive, mountCommand, TREE, WritableMount } from "./_writable_mount.ts";

const IS_ROOT = Deno.uid() === 0;
const IMAGE_SIZE = 24 << 20;
/** For a file system on a loop device. */
const HAS_DISKS = hasLoopDevices() && hasPrograms("mkfs.ext4", "e2fsck");

Deno.test("A writable mount of a split archive keeps what is written, and both files as they are", async () => {
  using home = new TempDirectory("writable");
  const archive = await makeArchive(home, "x.mpxar");
  const payload = home.join("x.ppxar");
  const before = [archive, payload].map((path) => Deno.readFileSync(path));
  await using place = new WritableMount(["pxar", "mount", archive]);
  await exercise(place);
  assert.deepEqual([archive, payload].map((path) => Deno.readFileSync(path)), before);
  // The contents are in the other file: another one of these is another source.
  Deno.utimeSync(payload, new Date(), new Date(1));
  await place.refuses(/has changed since the diff directory was made/);
  Deno.renameSync(payload, `${payload}.away`);
  await place.refuses(/No payload stream found by name.*has changed since/s);
  assert.equal(place.binding["state"], "Released");
});

Deno.test({
  name:
    "A writable mount of an encrypted snapshot keeps what is written, and needs the key each time",
  ignore: !IS_ROOT,
  async fn(t) {
    await using store = await PbsStore.create();
    const [key, other] = ["key", "other"].map((name) => store.home.join(name));
    for (const path of [key!, other!]) await store.must(["key", "create", path, "--kdf", "none"]);
    const tree = store.home.join("tree");
    Deno.mkdirSync(tree);
    await bash(TREE, tree);
    for (const mode of ["legacy", "data", "metadata"]) {
      await t.step(mode, async () => {
        await store.backup([
          ...[`root.pxar:${tree}`, "--backup-id", mode, "--keyfile", key!],
          ...["--change-detection-mode", mode],
        ]);
        const command = mountCommand(store, `host/${mode}`);
        await using place = new WritableMount([...command, "--keyfile", key!]);
        await exercise(place);
        const { binding } = place;
        await place.refuses(/encrypt|key/, [], command);
        await place.refuses(/key/, [], [...command, "--keyfile", other!]);
        assert.deepEqual(place.binding, binding, "a refused mount changes nothing");
        await place.mustMount();
        assert.equal(await place.out("cat d/f"), KEPT);
        await place.mustUnmount();
      });
    }
    await store.check("--key", key!);
  },
});

const KEPT = "one\nmore\n";

Deno.test({
  name:
    "A writable mount of an image takes changes at any offset, and leaves the snapshot as it is",
  ignore: !IS_ROOT,
  async fn(t) {
    await using store = await PbsStore.create();
    const image = store.home.join("disk.raw");
    await bash('head -c 5000000 /dev/urandom >"$1"; truncate -s "$2" "$1"', image, `${IMAGE_SIZE}`);
    if (HAS_DISKS) await bash('mkfs.ext4 -q "$1"', image);
    await store.backup([`disk.img:${image}`, "--backup-type", "vm", "--backup-id", "1"]);
    const repository = ["--repository", `dir:${store.path}`];
    const command = ["pbs", "mount", ...repository, "vm/1", "disk.img"];
    await t.step("as a file", async () => {
      await using place = new WritableMount(command);
      await place.mustMount();
      await place.out(
        "cp disk.img /dev/null; printf changed | dd of=disk.img bs=1 seek=20000001 conv=notrunc",
      );
      await place.mustUnmount();
      await place.mustMount();
      const wanted = Deno.readFileSync(image);
      wanted.set(new TextEncoder().encode("changed"), 20_000_001);
      assert.deepEqual(Deno.readFileSync(`${place.root}/disk.img`), wanted);
      // A block of the diff, not the image.
      assert.equal(await place.out("stat -c %s disk.img"), `${IMAGE_SIZE}\n`);
      const { blocks } = Deno.statSync(`${place.diff}/data/disk.img`);
      assert.ok(blocks! * 512 < 1 << 20, `${blocks} blocks`);
      await place.mustUnmount();
    });
    await t.step({
      name: "as a disk with a file system",
      ignore: !HAS_DISKS,
      async fn() {
        await using place = new WritableMount(command);
        const point = place.home.join("disk");
        Deno.mkdirSync(point);
        for (const word of ["first", "second"]) {
          await place.mustMount();
          await place.out(
            `mount -o loop disk.img "${point}" && echo ${word} >>"${point}/words" && umount "${point}"`,
          );
          await place.mustUnmount();
        }
        await place.mustMount();
        assert.equal(
          await place.out(
            `mount -o loop,ro disk.img "${point}" && cat "${point}/words" && umount "${point}"`,
          ),
          "first\nsecond\n",
        );
        await place.out("e2fsck -fn disk.img");
        await place.mustUnmount();
      },
    });
    await store.must(["restore", "vm/1", "disk.img", store.home.join("restored")]);
    await bash('cmp "$1" "$2"', image, store.home.join("restored"));
  },
});
