import assert from "node:assert/strict";
import { LimitError, OsError } from "#src/errors.ts";
import { readDescriptorFully, requireInherited } from "#src/io/descriptor.ts";
import { close, dup, open, OpenFlag, unwrap } from "#ffi/libc/calls.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

Deno.test("readDescriptorFully() reads to the end, and leaves the descriptor open", () => {
  using directory = new TempDirectory("descriptor");
  const path = directory.join("file");
  const content = Uint8Array.from({ length: 10_000 }, (_, index) => index);
  Deno.writeFileSync(path, content);
  const fd = unwrap(open(path, OpenFlag.RDONLY), "open", path);
  assert.deepEqual(readDescriptorFully(fd, content.length), content);
  assert.equal(readDescriptorFully(fd, 1).length, 0);
  assert.equal(close(fd), 0);
});

Deno.test("readDescriptorFully() refuses what is too long or not open", () => {
  const fd = unwrap(open("/dev/zero", OpenFlag.RDONLY), "open", "/dev/zero");
  assert.throws(() => readDescriptorFully(fd, 5000), LimitError);
  close(fd);
  assert.throws(() => readDescriptorFully(123_456, 10), OsError);
});

Deno.test("requireInherited() tells descriptors of the runtime from those that exec(2) leaves open", () => {
  const own = unwrap(open("/dev/null", OpenFlag.RDONLY), "open", "/dev/null");
  const inherited = unwrap(dup(own), "dup", "/dev/null");
  requireInherited(0);
  requireInherited(inherited);
  for (const fd of [own, 123_456]) {
    assert.throws(() => requireInherited(fd), (error) => {
      return error instanceof OsError && error.code === "EBADF";
    });
  }
  close(own);
  close(inherited);
});
