import assert from "node:assert/strict";
import { UsageError } from "#src/errors.ts";
import { ArchiveWriter } from "#src/transfer/mod.ts";
import { DIRECTORY } from "#tests/support/pxar_builder.ts";

Deno.test("ArchiveWriter writes one archive, from its root on", () => {
  const sizes: number[] = [];
  const writer = new ArchiveWriter({ metadata: { write: (bytes) => sizes.push(bytes.length) } });
  const entries = writer.startRoot(DIRECTORY, undefined);
  assert.throws(() => writer.startRoot(DIRECTORY, undefined), UsageError);
  assert.equal(writer.sizes, undefined);
  entries.finish();
  assert.throws(() => writer.startRoot(DIRECTORY, undefined), UsageError);
  assert.deepEqual(sizes, [writer.sizes!.metadataSize]);
});
