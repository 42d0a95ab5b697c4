import assert from "node:assert/strict";
import { embedWorkerSource, workerUrl } from "#src/usecases/threads.ts";

Deno.test("workerUrl() is the source file until a bundle is embedded", async () => {
  assert.match(workerUrl(), /\/src\/usecases\/worker\.ts$/);
  embedWorkerSource("export const answer = 42;");
  const url = workerUrl();
  assert.match(url, /^blob:/);
  assert.equal(workerUrl(), url);
  assert.equal(await (await fetch(url)).text(), "export const answer = 42;");
  URL.revokeObjectURL(url);
});
