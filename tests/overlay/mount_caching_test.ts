/**
 * What the kernel is allowed to keep of a mounted overlay, and what it does by itself.
 *
 * @module
 */

import assert from "node:assert/strict";
import { countedOperations, type TestMount } from "#tests/mount/support/mounted.ts";
import { OverlayPlace } from "#tests/overlay/_overlay_place.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const TIMEOUT_MS = 60_000;

/** How often `opcode` was asked while `run` ran. */
async function countDuring(
  { mount }: TestMount,
  opcode: string,
  run: () => Promise<unknown>,
): Promise<number> {
  const before = (await countedOperations(mount))[opcode]?.count ?? 0;
  await run();
  return ((await countedOperations(mount))[opcode]?.count ?? 0) - before;
}

Deno.test("a name that is missing is asked for once, and seen when it comes", async () => {
  using place = new OverlayPlace();
  Deno.mkdirSync(`${place.lower}/base`);
  Deno.writeTextFileSync(`${place.lower}/base/there`, "x");
  await place.mounted(2, async (test) => {
    const look = "for r in $(seq 50); do for n in a b c d e; do ! test -e base/$n; done; done";
    const asked = await countDuring(test, "lookup", () => test.sh(look));
    assert.ok(asked <= 8, `${asked} look-ups for 250`);
    // Every way in which a name can come.
    await test.sh(
      "echo 1 > base/a; mkdir base/b; mv base/there base/c; ln base/c base/d; ln -s c base/e",
    );
    assert.equal(await test.sh("ls base"), "a\nb\nc\nd\ne\n");
    await test.sh("for n in a b c d e; do test -e base/$n; done; ! test -e base/there");
    await test.sh("mv base/a base/there; rmdir base/b; rm base/c");
    await test.sh("! test -e base/a; ! test -e base/b; ! test -e base/c; test -e base/there");
  });
});

Deno.test("names that the program makes by itself are asked for each time", async () => {
  using place = new OverlayPlace();
  Deno.mkdirSync(`${place.diff}/data/.pbkfs`);
  await place.mounted(2, async ({ sh }) => {
    await sh("! test -e .pbkfs/stat");
    Deno.writeTextFileSync(`${place.diff}/data/.pbkfs/stat`, "{}");
    assert.equal(await sh("cat .pbkfs/stat"), "{}");
  });
});

Deno.test("attributes of files that the kernel writes itself do not cost a request each", async () => {
  using place = new OverlayPlace();
  await place.mounted(2, async (test) => {
    await test.sh("head -c 8192 /dev/zero > f");
    const closed =
      "stat f > /dev/null; for r in 1 2 3 4 5; do sleep 0.03; stat f > /dev/null; done";
    const again = await countDuring(test, "getattr", () => test.sh(closed));
    assert.ok(again <= 3, `${again} requests for 6 times the same, with nobody to write it`);
    const look = "exec 3<>f; stat -c %s $(yes f | head -n 1000) > /dev/null";
    const asked = await countDuring(test, "getattr", () => test.sh(look));
    assert.ok(asked <= 500, `${asked} requests for 1000 times the same`);
  });
});

Deno.test("what is written and synced at once to a file that the kernel serves costs no request", async () => {
  using place = new OverlayPlace();
  await place.mounted(2, async (test) => {
    await test.sh("head -c 8192 /dev/zero > f");
    if (!test.mount.passthrough.isOn) return;
    const dd = "dd if=/dev/zero of=f bs=8192 count=100 conv=notrunc status=none";
    for (const opcode of ["write", "fsync"]) {
      assert.equal(await countDuring(test, opcode, () => test.sh(`${dd} oflag=dsync`)), 0);
    }
    assert.equal(
      await countDuring(test, "fsync", () => test.sh(dd.replace("notrunc", "notrunc,fdatasync"))),
      1,
    );
  });
});

Deno.test("a store through a map changes the mtime of a file that was the backup's until it was opened", async () => {
  using place = new OverlayPlace();
  Deno.writeFileSync(`${place.lower}/f`, new Uint8Array(8192));
  Deno.utimeSync(`${place.lower}/f`, 1_000_000_000, 1_000_000_000);
  await place.mounted(2, async ({ path }) => {
    const script = new URL("./_map_child.ts", import.meta.url).pathname;
    const run = denoRunCommand(["--allow-ffi", "--allow-read", "--allow-sys"], script, [
      `${path}/f`,
    ]);
    const { stdout } = await runCommand(run, { timeoutMs: TIMEOUT_MS });
    assert.equal(stdout, "changed\n");
  });
});

Deno.test("files of a diff on overlayfs are served by the kernel itself", async (test) => {
  using home = new TempDirectory("stacked");
  for (const name of ["lower", "upper", "work", "merged"]) Deno.mkdirSync(home.join(name));
  const options = ["lower", "upper", "work"].map((name) => `${name}dir=${home.join(name)}`);
  const mount = ["mount", "-t", "overlay", "-o", options.join(), "pbkfs-test", home.join("merged")];
  const { code, stderr } = await runCommand(mount, { timeoutMs: TIMEOUT_MS, check: false });
  if (code !== 0) {
    console.log(`skipped "${test.name}": cannot mount overlayfs: ${stderr.trim()}`);
    return;
  }
  try {
    using place = new OverlayPlace(home.join("merged"));
    await place.mounted(2, async ({ sh, mount: mounted, failures }) => {
      assert.deepEqual(mounted.passthrough, { isOn: true, stackDepth: 2 });
      await sh("head -c 300000 /dev/urandom > f; exec 3<>f; echo tail >&3; cat f > g; cmp f g");
      const { read, write } = await countedOperations(mounted);
      assert.deepEqual([read, write, failures], [undefined, undefined, []]);
    });
  } finally {
    // The threads of a mount leave descriptors to the end of their process, which is this one.
    await runCommand(["umount", "-l", home.join("merged")], { timeoutMs: TIMEOUT_MS });
  }
});

Deno.test("a diff on an ordinary file system leaves room for overlayfs on top of the mount", async () => {
  using home = new TempDirectory("topped");
  for (const name of ["upper", "work", "merged"]) Deno.mkdirSync(home.join(name));
  using place = new OverlayPlace();
  Deno.writeTextFileSync(`${place.lower}/f`, "below\n");
  await place.mounted(2, async ({ path, mount }) => {
    assert.equal(mount.passthrough.stackDepth, 1);
    const options = `lowerdir=${path},upperdir=${home.join("upper")},workdir=${home.join("work")}`;
    const merged = home.join("merged");
    const command = `mount -t overlay -o ${options} pbkfs-test ${merged} && cat ${merged}/f; ` +
      `umount ${merged}`;
    const { stdout } = await runCommand(["sh", "-c", command], { timeoutMs: TIMEOUT_MS });
    assert.equal(stdout, "below\n");
  });
});
