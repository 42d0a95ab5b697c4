import { equal, ok } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { goldenDatastore, HAS_ALL_CHUNKS } from "#tests/support/pbs_fixtures.ts";

Deno.test("Everything in the golden datastore is read without FFI", async () => {
  // Unpacked here, since the child may not start programs.
  goldenDatastore();
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-read",
      "--allow-env",
      fileURLToPath(new URL("./_read_child.ts", import.meta.url)),
    ],
    stderr: "inherit",
  }).output();
  ok(success);
  const counts = JSON.parse(new TextDecoder().decode(stdout));
  equal(counts.manifests, 17);
  equal(counts.blobs, 31);
  equal(counts.sealedKeys, 1);
  ok(counts.catalogEntries > 2000, `${counts.catalogEntries} entries`);
  if (HAS_ALL_CHUNKS) equal(counts.streams, 32);
});
