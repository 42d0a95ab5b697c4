import assert from "node:assert/strict";
import { parsePackageVersion } from "#ffi/libfuse3/version.ts";

const VERSIONS: readonly [string, number, number, number][] = [
  ["3.14.0", 3, 14, 0],
  ["3.14.1", 3, 14, 1],
  ["3.17.1-rc0", 3, 17, 1],
  ["3.19-rc0", 3, 19, 0],
  ["3.18", 3, 18, 0],
  ["3.10.5", 3, 10, 5],
];

for (const [text, major, minor, hotfix] of VERSIONS) {
  Deno.test(`parsePackageVersion() reads "${text}"`, () => {
    assert.deepEqual(parsePackageVersion(text), { major, minor, hotfix });
  });
}

for (const text of ["", "3", "fuse 3.14.0", "3.x", "99999.1.1", "-3.1"]) {
  Deno.test(`parsePackageVersion() refuses "${text}"`, () => {
    assert.throws(() => parsePackageVersion(text), SyntaxError);
  });
}
