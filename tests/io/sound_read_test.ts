import assert from "node:assert/strict";
import { IntegrityError, OsError, StateError } from "#src/errors.ts";
import { readSound } from "#src/io/sound_read.ts";

function upTo(soundBytes: number, failure: (size: number) => Error): (size: number) => number {
  return (size) => {
    if (size > soundBytes) throw failure(size);
    return size;
  };
}

Deno.test("readSound() gives bytes before damage", () => {
  const damaged = (size: number) => new IntegrityError(`${size} bytes`);
  const missing = (size: number) => new StateError("not-found", `${size} bytes`);
  assert.equal(readSound(upTo(100, damaged), 100), 100);
  for (const failure of [damaged, missing]) {
    assert.equal(readSound(upTo(30, failure), 100), 25);
    assert.equal(readSound(upTo(1, failure), 100), 1);
    // What the first attempt told: the others may have found a chunk renamed.
    assert.throws(() => readSound(upTo(0, failure), 100), { message: "100 bytes" });
  }
});

Deno.test("readSound() does not try again where nothing is damaged", () => {
  for (const error of [new OsError(5, "read", "/a"), new StateError("timeout", "no answer")]) {
    let count = 0;
    const read = () => {
      count++;
      throw error;
    };
    assert.throws(() => readSound(read, 100), (thrown) => thrown === error);
    assert.equal(count, 1);
  }
});
