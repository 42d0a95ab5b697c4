import assert from "node:assert/strict";
import { unmountCommand } from "#src/cli/shell_command.ts";

Deno.test("unmountCommand() quotes what needs it only", () => {
  assert.equal(unmountCommand({ mountPath: "/mnt/pg" }), "pbkfs unmount -D /mnt/pg");
  const call = { mountPath: "/mnt/a b", diffPath: "/d", force: true };
  assert.equal(unmountCommand(call), "pbkfs unmount -D '/mnt/a b' -d /d --force");
});
