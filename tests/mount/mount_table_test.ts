import assert from "node:assert/strict";
import { parseMountTable } from "#src/mount/mount_table.ts";

Deno.test("parseMountTable() reads lines with and without optional fields", () => {
  const entries = parseMountTable(
    "22 1 8:1 / / rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw\n" +
      "40 22 0:39 / /mnt/a\\040b\\134c rw,nosuid - fuse.pbkfs pbkfs:a,b rw,user_id=0\n",
  );
  assert.deepEqual(entries, [
    { device: "8:1", mountPoint: "/", type: "ext4", source: "/dev/sda1", superOptions: ["rw"] },
    {
      device: "0:39",
      mountPoint: "/mnt/a b\\c",
      type: "fuse.pbkfs",
      source: "pbkfs:a,b",
      superOptions: ["rw", "user_id=0"],
    },
  ]);
});

Deno.test("parseMountTable() leaves out what is no mount", () => {
  assert.deepEqual(parseMountTable("\n1 2 3\nx - y\n22 1 8:1 / / rw - ext4\n"), []);
});
