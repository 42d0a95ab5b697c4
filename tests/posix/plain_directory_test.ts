import assert from "node:assert/strict";
import { buildLowerSample, lowerCases } from "#tests/posix/lower_cases.ts";
import { buildSample } from "#tests/posix/lower_sample.ts";
import { posixSuite } from "#tests/posix/suite.ts";
import { runPosixSuite, runReadOnlySuite } from "#tests/support/posix_run.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { walkManifest } from "#tests/support/tree_manifest.ts";

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

Deno.test("runPosixSuite() reports every case that fails", async () => {
  using directory = new TempDirectory("posix");
  const { passed, failed } = await runPosixSuite(directory.path, "lower");
  assert.equal(passed, 0);
  assert.deepEqual(failed, [...lowerCases().keys()]);
});

Deno.test({
  name: "posixReadOnlySuite() passes on a read-only bind mount of a plain directory",
  ignore: Deno.uid() !== 0,
  async fn() {
    using directory = new TempDirectory("posix");
    const root = directory.join("tree");
    Deno.mkdirSync(root);
    buildSample(root);
    const manifest = directory.join("manifest.jsonl");
    const lines = [...walkManifest(root)].map((entry) => `${JSON.stringify(entry)}\n`);
    Deno.writeTextFileSync(manifest, lines.join(""));
    await runCommand(["mount", "--bind", root, root], { timeoutMs: 10_000 });
    try {
      await runCommand(["mount", "-o", "remount,bind,ro", root], { timeoutMs: 10_000 });
      const { failed, output } = await runReadOnlySuite(root, manifest);
      assert.deepEqual(failed, [], output);
    } finally {
      await runCommand(["umount", root], { timeoutMs: 10_000 });
    }
  },
});
