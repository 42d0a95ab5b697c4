/**
 * Quota project ids on a file system that has them: XFS in a file. Needs root, a loop device and
 * mkfs.xfs.
 *
 * @module
 */

import assert from "node:assert/strict";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { pbkfs } from "./_archive_mount.ts";

const TIMEOUT_MS = 60_000;

function sh(script: string, ...args: string[]) {
  return runCommand(["sh", "-c", script, "sh", ...args], { timeoutMs: TIMEOUT_MS, check: false });
}

/** Makes a file system in a file and mounts it, at `xfs`, to see whether that is possible. */
const MOUNT_XFS = 'truncate -s 400M "$1/x.img" && mkfs.xfs -q "$1/x.img" && mkdir "$1/xfs" && ' +
  'mount -o loop "$1/x.img" "$1/xfs"';
const UNMOUNT_XFS = 'umount "$1/xfs"';

async function canMountXfs(): Promise<boolean> {
  using home = new TempDirectory("projects");
  const isMounted = (await sh(MOUNT_XFS, home.path)).code === 0;
  if (isMounted) await sh(UNMOUNT_XFS, home.path);
  return isMounted;
}

const PROJECTS = 'cd "$1" && lsattr -pd . f sub sub/g';

Deno.test({
  name: "pbkfs pxar archives and restores project ids",
  ignore: !await canMountXfs(),
  fn: async () => {
    using home = new TempDirectory("projects");
    assert.equal((await sh(MOUNT_XFS, home.path)).code, 0);
    try {
      const [source, target] = [home.join("xfs/source"), home.join("xfs/target")];
      const make = 'mkdir -p "$1/sub" && cd "$1" && touch f sub/g && chattr -p 77 f && ' +
        "chattr -p 4294967294 sub/g && chattr -p 5 sub && chattr +P sub";
      assert.equal((await sh(make, source)).code, 0);
      const archive = home.join("a.pxar");
      assert.deepEqual((await pbkfs(["pxar", "create", archive, source])).code, 0);
      const restored = await pbkfs(["pxar", "extract", archive, target]);
      assert.deepEqual(restored, { code: 0, stdout: "", stderr: "" });
      const { stdout } = await sh(PROJECTS, target);
      assert.equal(stdout, (await sh(PROJECTS, source)).stdout);
      assert.match(stdout, /^ *77 -+ f$/m);
      assert.match(stdout, /^4294967294 -+ sub\/g$/m);
      assert.equal((await pbkfs(["pxar", "diff", archive, target])).code, 0);
    } finally {
      await sh(UNMOUNT_XFS, home.path);
    }
  },
});
