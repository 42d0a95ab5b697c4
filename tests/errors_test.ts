import assert from "node:assert/strict";
import * as errors from "#src/errors.ts";
import {
  Errno,
  Failure,
  FormatError,
  IntegrityError,
  LimitError,
  OsError,
  StateError,
  withPlace,
} from "#src/errors.ts";
import { formatError } from "#src/cli/exit_code.ts";

const SAMPLES: readonly Failure[] = [
  new errors.UsageError("a", { hint: "h", option: "o" }),
  new errors.FormatError("a", { hint: "h", option: "o", path: "/p", offset: 7 }),
  new errors.IntegrityError("a", { hint: "h", option: "o", backupId: "B" }),
  new errors.LimitError("a", { hint: "h", option: "o" }),
  new errors.AuthError("a", { hint: "h", option: "o" }),
  new errors.ProtocolError("a", { hint: "h", option: "o" }),
  new StateError("exists", "a", { hint: "h", option: "o" }),
  new OsError(Errno.EIO, "read", "/p", { hint: "h", option: "o" }),
];

Deno.test("all kinds of errors have one base, a name, a code, a hint and an option", () => {
  for (const error of SAMPLES) {
    assert.ok(error instanceof Failure && error instanceof Error);
    assert.equal(error.name, error.constructor.name);
    assert.match(error.code, /^[a-zA-Z-]+$/);
    assert.deepEqual([error.hint, error.option, error.isTemporary], ["h", "o", false]);
  }
});

Deno.test("errors of content end with the place in the message", () => {
  assert.match(SAMPLES[1]!.message, /^a \("\/p", offset 7\)$/);
  assert.match(SAMPLES[2]!.message, /^a \(backup B\)$/);
});

Deno.test("what passes by itself is temporary, and JSON says so", () => {
  const json = (error: unknown) => JSON.parse(formatError(error, "json"));
  for (const code of ["locked", "busy", "timeout"] as const) {
    assert.equal(json(new StateError(code, "a")).temporary, true, code);
  }
  for (const errno of [Errno.EAGAIN, Errno.EINTR, Errno.ETIMEDOUT, Errno.EBUSY]) {
    assert.equal(json(new OsError(errno, "open", "/p")).temporary, true);
  }
  assert.equal(json(new OsError(Errno.ENOENT, "open", "/p")).temporary, undefined);
  assert.equal(json(new StateError("exists", "a")).temporary, undefined);
});

Deno.test("withPlace() adds to errors about bytes what they do not say of their place", () => {
  const hint = { hint: "try another", option: "key" };
  const bare = new FormatError("Cannot read item", { code: "bad-size", offset: 5, ...hint });
  const placed = withPlace(bare, { path: "/a", offset: 9, backupId: "B" });
  assert.ok(placed instanceof FormatError);
  assert.equal(placed.message, 'Cannot read item ("/a", offset 5, backup B)');
  const { code, path, offset, backupId, cause } = placed;
  assert.deepEqual([code, path, offset, backupId, cause], ["bad-size", "/a", 5, "B", bare]);
  assert.deepEqual([placed.hint, placed.option], [hint.hint, hint.option]);
  const integrity = withPlace(new IntegrityError("Cannot use chunk"), { offset: 3 });
  assert.ok(integrity instanceof IntegrityError);
  assert.equal(integrity.message, "Cannot use chunk (offset 3)");
  const limit = withPlace(new LimitError("Too much"), { path: "/a" });
  assert.ok(limit instanceof LimitError);
  assert.equal(limit.message, 'Too much ("/a")');
  for (
    const kept of [
      placed,
      limit,
      new FormatError("Cannot read", { path: "/b" }),
      new StateError("busy", "Cannot go on"),
      new TypeError("a bug"),
    ]
  ) {
    assert.equal(withPlace(kept, { path: "/a", offset: 1 }), kept);
  }
  assert.equal(withPlace(bare, {}), bare);
});

Deno.test("toRecord() says all that is known of a failure, in plain values", () => {
  for (const error of SAMPLES) {
    const { code, message, hint, isTemporary, details } = errors.toRecord(error);
    assert.deepEqual([code, message, hint], [error.code, error.message, "h"]);
    assert.equal(isTemporary, error.isTemporary);
    assert.equal(details.option, "o");
  }
  assert.deepEqual(errors.toRecord(SAMPLES[1]).details, { option: "o", path: "/p", offset: 7 });
  assert.deepEqual(errors.toRecord(SAMPLES[2]).details, { option: "o", backupId: "B" });
  const { errno, call, path } = errors.toRecord(SAMPLES[7]).details;
  assert.deepEqual([errno, call, path], [Errno.EIO, "read", "/p"]);
  assert.equal(errors.toRecord(new StateError("busy", "a")).isTemporary, true);
});

Deno.test("toRecord() tells the host's errors and forbidden calls from bugs", () => {
  const codeOf = (error: unknown) => errors.toRecord(error).code;
  assert.equal(codeOf(new Deno.errors.NotCapable("no")), "permission");
  assert.equal(codeOf(new Deno.errors.NotFound("no")), "host");
  assert.equal(codeOf(new TypeError("no")), "internal");
  const { message, details } = errors.toRecord("only a word");
  assert.deepEqual([message, details], ["only a word", {}]);
});
