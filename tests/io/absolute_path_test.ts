import { equal } from "node:assert/strict";
import { resolve } from "node:path";
import fc from "fast-check";
import { absolutePath } from "#src/io/absolute_path.ts";

Deno.test("absolutePath() gives what resolve() gives", () => {
  const name = fc.constantFrom("", ".", "..", "...", "a", "b c", "/", "//");
  fc.assert(
    fc.property(fc.array(name, { maxLength: 8 }), fc.boolean(), (names, isAbsolute) => {
      const path = (isAbsolute ? "/" : "") + names.join("/");
      equal(absolutePath(path), resolve(path));
    }),
    { seed: 1, numRuns: 1000 },
  );
});
