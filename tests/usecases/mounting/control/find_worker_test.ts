/** Which worker may serve a mount, when the kernel has given a number to another one. */

import assert from "node:assert/strict";
import { mayServe } from "#src/usecases/mounting/control/find_worker.ts";
import type { CardContent } from "#src/usecases/mounting/control/worker_card.ts";

const MOUNT = { device: "0:50", source: "pbkfs:main/TOTXQL", id: 700 };

function cardOf(
  mount: CardContent["mount"],
  state: CardContent["state"] = "mounted",
): CardContent {
  const edition = { edition: 1, start_ticks: 1, executable: "1:2" };
  return { ...edition, state, mount_path: "/mnt", mount };
}

Deno.test("mayServe() knows a mount by its number, and another place of it by its file system", () => {
  assert.ok(mayServe(cardOf(MOUNT), MOUNT, true));
  assert.ok(mayServe(cardOf(MOUNT), { ...MOUNT, id: 705 }, false), "a bind mount is younger");
  assert.ok(mayServe(cardOf(MOUNT), { ...MOUNT, id: undefined }, true), "an old kernel");
  assert.ok(mayServe(cardOf({ ...MOUNT, id: undefined }), MOUNT, true));
});

Deno.test("mayServe() takes nobody for the worker because the kernel uses his device number again", () => {
  assert.ok(!mayServe(cardOf(MOUNT), { ...MOUNT, id: 705 }, true), "mounted on again");
  assert.ok(!mayServe(cardOf(MOUNT), { ...MOUNT, id: 705, source: "other" }, false));
  assert.ok(!mayServe(cardOf(MOUNT), { ...MOUNT, id: 699 }, false), "it was there before");
  assert.ok(!mayServe(cardOf(MOUNT), { ...MOUNT, id: undefined, source: "other" }, true));
  assert.ok(!mayServe(cardOf(MOUNT), { ...MOUNT, id: 705, device: "0:51" }, false));
});

Deno.test("mayServe() believes no card of a worker that has not mounted, or whose mount has ended", () => {
  for (const state of ["starting", "settling", "ended", "failed"] as const) {
    assert.ok(!mayServe(cardOf(MOUNT, state), MOUNT, true), state);
  }
  assert.ok(!mayServe(cardOf(undefined), MOUNT, true));
});
