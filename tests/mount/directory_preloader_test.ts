import assert from "node:assert/strict";
import { LookupBursts } from "#src/mount/lookup_bursts.ts";
import { waitUntil } from "#tests/support/process.ts";
import { withMount, workerModule } from "./support/mounted.ts";

const OPTIONS = {
  workerUrl: workerModule("./tree_worker.ts"),
  readOnly: true,
  workers: 2,
  description: { kind: "memory" },
};

/** Of three names, one of two workers gets two. */
const TWO_OF_ONE_WORKER = "stat empty one old.txt";

function waitFor(probe: () => boolean | Promise<boolean>): Promise<void> {
  return waitUntil(probe, 10_000, () => "the directory is not known");
}

Deno.test("DirectoryPreloader has the kernel know a directory after two names of it", async () => {
  await withMount(OPTIONS, async ({ mount, sh, failures }) => {
    await sh(TWO_OF_ONE_WORKER);
    await waitFor(() => mount.statistics.operations()["readdirplus"] !== undefined);
    await waitFor(async () => {
      mount.statistics.reset();
      return await sh("stat -c %s hello.txt link old.txt fifo >&2; stat -c %s hello.txt") ===
          "6\n" &&
        mount.statistics.operations()["lookup"] === undefined;
    });
    assert.equal(await sh("stat -c %h sub/two"), "2\n");
    assert.deepEqual(failures, []);
  });
});

Deno.test("DirectoryPreloader does not keep a mount busy", async () => {
  for (let round = 0; round < 10; round++) {
    await withMount(OPTIONS, async ({ mount, sh }) => {
      await sh(TWO_OF_ONE_WORKER);
      await mount.unmount({ whenBusy: "refuse" });
    });
  }
});

Deno.test("DirectoryPreloader leaves a mount alone that one worker serves", async () => {
  await withMount({ ...OPTIONS, workers: 1 }, async ({ mount, sh }) => {
    await sh("stat empty one; stat hello.txt fifo");
    assert.equal(mount.statistics.operations()["readdirplus"], undefined);
  });
});

Deno.test("LookupBursts.note() notices the second look-up, and a long time after it another one", () => {
  const bursts = new LookupBursts();
  const noticed: number[] = [];
  for (let i = 1; i <= 600; i++) if (bursts.note(7)) noticed.push(i);
  assert.deepEqual(noticed, [2, 252, 502]);
  assert.equal(bursts.note(8), false);
  assert.equal(bursts.note(8), true);
});
