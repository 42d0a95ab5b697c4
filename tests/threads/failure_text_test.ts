import assert from "node:assert/strict";
import { formatFailure, parseFailure } from "#src/threads/failure_text.ts";
import * as errors from "#src/errors.ts";

const FAILURES: readonly Error[] = [
  new errors.UsageError("a", { option: "--x", hint: "h" }),
  new errors.FormatError("b", { code: "unsupported", path: "/p", offset: 3, backupId: "X" }),
  new errors.IntegrityError("c", { hint: "h" }),
  new errors.LimitError("d"),
  new errors.AuthError("e", { code: "wrong-key" }),
  new errors.ProtocolError("f"),
  new errors.ProtocolError("f2", { code: "thread-ended", isTemporary: true }),
  new errors.StateError("locked", "g", { hint: "h" }),
  new errors.OsError(28, "write", "/p", { hint: "h" }),
];

Deno.test("parseFailure() makes the failure of which formatFailure() made the text", () => {
  for (const failure of FAILURES) {
    const copy = parseFailure(formatFailure(failure));
    assert.ok(copy instanceof errors.Failure);
    assert.equal(copy.constructor, failure.constructor);
    assert.equal(copy.message, failure.message);
    assert.equal(copy.stack, failure.stack);
    assert.equal(copy.isTemporary, (failure as errors.Failure).isTemporary);
    assert.equal(String(copy), String(failure));
    // Fields that are not set may be missing.
    assert.deepEqual({ ...copy }, JSON.parse(JSON.stringify(failure)));
  }
});

Deno.test("parseFailure() makes a plain error of everything else", () => {
  const copy = parseFailure(formatFailure(new RangeError("far")));
  assert.ok(copy instanceof Error);
  assert.equal(copy.message, "far");
  assert.equal(copy instanceof errors.Failure, false);
  assert.equal(parseFailure(formatFailure("text")).message, "text");
  assert.equal(parseFailure(formatFailure(undefined)).message, "undefined");
});
