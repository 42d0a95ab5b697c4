import assert from "node:assert/strict";
import { OsError } from "#src/errors.ts";
import {
  attachLoopDevice,
  backingFile,
  detachLoopDevice,
  listLoopDevices,
} from "#src/io/loop_device.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

/** Containers often have none. */
async function hasLoopDevices(): Promise<boolean> {
  const { code } = await runCommand(["test", "-w", "/dev/loop-control"], {
    timeoutMs: 10_000,
    check: false,
  });
  return code === 0;
}

Deno.test({
  name: "attachLoopDevice() makes a read-only block device of a file, until detachLoopDevice()",
  ignore: !(await hasLoopDevices()),
  fn: async () => {
    using place = new TempDirectory("loop");
    const file = place.join("image");
    Deno.writeFileSync(file, crypto.getRandomValues(new Uint8Array(16384)));
    const device = attachLoopDevice(file);
    try {
      assert.equal(backingFile(device), file);
      assert.ok(listLoopDevices().some((each) => each.path === device && each.file === file));
      await runCommand(["cmp", device, file], { timeoutMs: 10_000 });
      const { code } = await runCommand(["sh", "-c", 'echo x >"$1"', "sh", device], {
        timeoutMs: 10_000,
        check: false,
      });
      assert.notEqual(code, 0, "it cannot be written to");
    } finally {
      detachLoopDevice(device);
    }
    assert.equal(backingFile(device), undefined);
  },
});

Deno.test("attachLoopDevice() fails for a file that is not there", () => {
  assert.throws(() => attachLoopDevice("/no-such-place/image"), OsError);
});
