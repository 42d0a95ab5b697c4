import assert from "node:assert/strict";
import { StateError, UsageError } from "#src/errors.ts";
import { chooseByTime } from "#src/sources/choice.ts";

const BACKUPS = ["2026-01-01T00:00:00Z", "2026-01-03T12:00:00Z", "2026-01-02T00:00:00Z"]
  .map((text) => ({ text, time: Date.parse(text) / 1000 }));

function chosen(text: string): string | undefined {
  return chooseByTime(text, () => BACKUPS, "x")?.text;
}

Deno.test("chooseByTime() takes the last one, or the last one at or before a time", () => {
  assert.equal(chosen("latest"), BACKUPS[1]!.text);
  assert.equal(chosen("@2026-01-03T12:00:00Z"), BACKUPS[1]!.text);
  assert.equal(chosen("@2026-01-03T11:59:59Z"), BACKUPS[2]!.text);
  assert.equal(chosen("@2026-01-02T03:00:00+03:00"), BACKUPS[2]!.text);
  assert.equal(chosen("@2026-01-02T02:59+03:00"), BACKUPS[0]!.text);
  assert.equal(chosen("@2026-01-02"), BACKUPS[2]!.text);
});

Deno.test("chooseByTime() leaves ids alone, and lists nothing for them", () => {
  assert.equal(chooseByTime("TOTXQL", () => assert.fail(), "x"), undefined);
});

Deno.test("chooseByTime() says what there is instead", () => {
  assert.throws(
    () => chosen("@2025-12-31"),
    (error) =>
      error instanceof StateError && error.code === "not-found" &&
      error.hint === "The oldest one is of 2026-01-01T00:00:00Z",
  );
  assert.throws(() => chooseByTime("latest", () => [], "x"), { code: "not-found" });
});

for (const text of ["@", "@yesterday", "@2026-13-01", "@2026-01-02T03:00:00", "@1700000000"]) {
  Deno.test(`chooseByTime() refuses "${text}"`, () => {
    assert.throws(() => chosen(text), UsageError);
  });
}
