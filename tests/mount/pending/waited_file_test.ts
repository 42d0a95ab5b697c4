import assert from "node:assert/strict";
import { isRunnable, ownThreadId, waitedFile } from "#src/mount/pending/waited_file.ts";

Deno.test("ownThreadId() is that of the thread, which runs and waits for nothing", () => {
  const id = ownThreadId();
  assert.ok(id > 0);
  assert.equal(isRunnable(id), true);
  assert.equal(waitedFile(id), undefined);
});

Deno.test("of a thread that is not there nothing is told", () => {
  assert.equal(isRunnable(0), false);
  assert.equal(waitedFile(0), undefined);
});
