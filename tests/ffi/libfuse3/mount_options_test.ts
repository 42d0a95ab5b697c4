import assert from "node:assert/strict";
import { formatMountOptions } from "#ffi/libfuse3/mount_options.ts";

const BASE = { fsname: "pbkfs", subtype: "pbkfs", allowOther: false, readOnly: false };

Deno.test("formatMountOptions() always has the kernel check permissions", () => {
  assert.equal(formatMountOptions(BASE), "fsname=pbkfs,subtype=pbkfs,default_permissions");
  assert.equal(
    formatMountOptions({ ...BASE, allowOther: true, readOnly: true }),
    "fsname=pbkfs,subtype=pbkfs,default_permissions,allow_other,ro",
  );
});

Deno.test("formatMountOptions() lets no option in through a name", () => {
  const options = formatMountOptions({ ...BASE, fsname: "a,allow_other\\,b\nc\0d" });
  assert.equal(
    options,
    "fsname=a\\,allow_other\\\\\\,bcd,subtype=pbkfs,default_permissions",
  );
});
