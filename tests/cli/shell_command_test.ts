import assert from "node:assert/strict";
import { unmountLine } from "#src/cli/shell_command.ts";

Deno.test("unmountLine() quotes what needs it only", () => {
  assert.equal(unmountLine({ mountPath: "/mnt/pg" }), "pbkfs unmount -D /mnt/pg");
  const call = { mountPath: "/mnt/a b", diffPath: "/d", force: true };
  assert.equal(unmountLine(call), "pbkfs unmount -D '/mnt/a b' -d /d --force");
});
