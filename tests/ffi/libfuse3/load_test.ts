import assert from "node:assert/strict";
import { OsError } from "#ffi/os_error.ts";
import { libraryCandidates, loadLibfuse3 } from "#ffi/libfuse3/load.ts";

Deno.test("libraryCandidates() tries the newer SONAME first, then known directories", () => {
  const candidates = libraryCandidates(undefined);
  assert.deepEqual(candidates.slice(0, 2), ["libfuse3.so.4", "libfuse3.so.3"]);
  assert.ok(candidates.includes("/usr/lib/aarch64-linux-gnu/libfuse3.so.3"));
  assert.ok(candidates.includes("/lib64/libfuse3.so.4"));
});

Deno.test("libraryCandidates() tries nothing but a library that was named", () => {
  assert.deepEqual(libraryCandidates("/opt/libfuse3.so"), ["/opt/libfuse3.so"]);
  assert.equal(libraryCandidates("").length > 1, true);
});

Deno.test("loadLibfuse3() says which package to install when the library is missing", () => {
  assert.throws(() => loadLibfuse3("/nowhere/libfuse3.so.3"), (error) => {
    assert.ok(error instanceof OsError);
    assert.match(error.hint ?? "", /apt install fuse3/);
    assert.ok(error.cause instanceof Error);
    return true;
  });
});

Deno.test("loadLibfuse3() loads the installed library and reads its version", () => {
  const library = loadLibfuse3();
  assert.equal(library.version.major, 3);
  assert.equal(loadLibfuse3(), library);
});
