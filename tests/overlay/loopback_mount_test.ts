/**
 * The overlay over a plain directory, mounted: what a pg_probackup backup cannot hold below
 * (symbolic links), and what only the kernel does (forgetting nodes).
 *
 * @module
 */

import assert from "node:assert/strict";
import { overlayStatistics } from "#src/overlay/mod.ts";
import { WHOLE_COPY_SIZE_MAX } from "#src/overlay/lower_node.ts";
import { OverlayPlace } from "#tests/overlay/_overlay_place.ts";
import { buildLowerSample, lowerCases } from "#tests/posix/lower_cases.ts";
import { runPosixSuite } from "#tests/support/posix_run.ts";
import { waitUntil } from "#tests/support/process.ts";
import { walkInChild } from "#tests/support/walk.ts";

for (const workers of [1, 2, 3, 4]) {
  Deno.test(`Overlay over a directory with links passes the cases of lower names (${workers} workers)`, async () => {
    using place = new OverlayPlace();
    buildLowerSample(place.lower);
    const before = await walkInChild(place.lower);
    let after: unknown;
    await place.mounted(workers, async ({ path }) => {
      assert.deepEqual(await walkInChild(path), before);
      const { passed, failed, output } = await runPosixSuite(path, "lower");
      assert.deepEqual(failed, [], output);
      assert.equal(passed, lowerCases().size);
      after = await walkInChild(path);
    });
    await place.mounted(workers, async ({ path }) => {
      assert.deepEqual(await walkInChild(path), after);
    });
    assert.deepEqual(await walkInChild(place.lower), before, "the lower directory is unchanged");
  });
}

Deno.test("Overlay forgets temporary files that come and go through a mount", async () => {
  using place = new OverlayPlace();
  Deno.mkdirSync(`${place.lower}/base`);
  await place.mounted(2, async ({ sh }, { shared }) => {
    const churn = (rounds: number) =>
      sh(
        `for r in $(seq ${rounds}); do seq -f "base/$r.%g" 500 | xargs touch && rm base/*; done`,
      );
    await churn(1);
    const few = overlayStatistics(shared).nodes;
    await churn(12);
    // The kernel forgets in its own time, but soon.
    const nodes = () => overlayStatistics(shared).nodes;
    await waitUntil(() => nodes() <= few + 10, 5_000, () => `${nodes()} nodes, ${few} before`);
    assert.equal(overlayStatistics(shared).handlesOpen, 0);
    assert.equal(await sh("ls base"), "");
  });
});

Deno.test("Overlay lists a directory in which one changed file is damaged, and serves the rest", async () => {
  using place = new OverlayPlace();
  for (const name of ["one", "two"]) {
    Deno.writeTextFileSync(`${place.lower}/${name}`, "");
    Deno.truncateSync(`${place.lower}/${name}`, WHOLE_COPY_SIZE_MAX + 8192);
  }
  await place.mounted(2, async ({ sh }) => {
    await sh("for f in one two; do echo changed | dd of=$f conv=notrunc status=none; done");
  });
  using file = Deno.openSync(`${place.diff}/data/one`, { write: true });
  file.seekSync(24, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array([0xff]));
  await place.mounted(2, async ({ sh, try: attempt, failures }) => {
    assert.equal(await sh("ls"), "one\ntwo\n");
    assert.equal(await sh("head -c 8 two"), "changed\n");
    assert.match((await attempt("cat one")).stderr, /Input\/output error/);
    assert.match(failures.join(), /unknown version/);
  });
});
