/**
 * The POSIX suite on a mounted backup: on fresh directories, and on names that come from the
 * backup.
 *
 * @module
 */

import assert from "node:assert/strict";
import { buildLowerSample, lowerCases } from "#tests/posix/lower_cases.ts";
import { posixSuite } from "#tests/posix/suite.ts";
import { buildDirectoryCatalog } from "#tests/support/directory_catalog.ts";
import { MountPlace } from "#tests/support/pbkfs.ts";
import { runPosixSuite } from "#tests/support/posix_run.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { storeState, walkInChild } from "#tests/support/walk.ts";

const WITHOUT_LINKS = { symlinks: false };

Deno.test("a mounted backup passes the POSIX suite, and all of it is there after a remount", async (test) => {
  using home = new TempDirectory("posix");
  const sample = home.join("sample");
  Deno.mkdirSync(sample);
  buildLowerSample(sample, WITHOUT_LINKS);
  const store = home.join("catalog");
  const { instance, backupId } = buildDirectoryCatalog(store, sample);
  const before = await storeState(store);
  await using place = new MountPlace("posix");
  await place.mount({ store, instance, backupId, options: ["--xattrs"] });

  await test.step("the backup is the sample", async () => {
    assert.deepEqual(await walkInChild(place.root), await walkInChild(sample));
  });
  await test.step("lower names", async () => {
    const { passed, failed, output } = await runPosixSuite(place.root, "lower-without-links");
    assert.deepEqual(failed, [], output);
    assert.equal(passed, lowerCases(WITHOUT_LINKS).size);
  });
  await test.step("fresh directories", async () => {
    // The cases with another user need a way in; the root of a backup is closed to others.
    Deno.chmodSync(place.root, 0o755);
    const { passed, failed, output } = await runPosixSuite(place.root);
    assert.deepEqual(failed, [], output);
    assert.equal(passed, posixSuite.size);
  });
  await test.step("remount", async () => {
    const tree = await walkInChild(place.root);
    await place.unmount();
    await place.mount({ store, options: ["--xattrs"] });
    assert.deepEqual(await walkInChild(place.root), tree);
    await place.unmount();
  });
  assert.equal(await storeState(store), before, "the store is unchanged");
});
