import assert from "node:assert/strict";
import { buildLowerSample, lowerCases } from "#tests/posix/lower_cases.ts";
import { posixSuite } from "#tests/posix/suite.ts";
import { runPosixSuite } from "#tests/support/posix_run.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

Deno.test("posixSuite passes on a plain directory", async () => {
  using directory = new TempDirectory("posix");
  const { passed, failed, output } = await runPosixSuite(directory.path);
  assert.deepEqual(failed, [], output);
  assert.equal(passed, posixSuite.size);
});

Deno.test("lowerCases() passes on a plain copy of the lower tree", async () => {
  using directory = new TempDirectory("posix");
  buildLowerSample(directory.path);
  const { passed, failed, output } = await runPosixSuite(directory.path, "lower");
  assert.deepEqual(failed, [], output);
  assert.equal(passed, lowerCases().size);
});
