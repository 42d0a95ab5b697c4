import assert from "node:assert/strict";
import { Errno, OsError } from "#ffi/os_error.ts";
import {
  AuthError,
  FormatError,
  IntegrityError,
  LimitError,
  ProtocolError,
  StateError,
  UsageError,
} from "#src/errors.ts";
import { errnoOf } from "#src/mount/errno.ts";

const EXPECTED: readonly [unknown, number][] = [
  [new OsError(Errno.ENOSPC, "write", "/x"), Errno.ENOSPC],
  [new FormatError("x"), Errno.EIO],
  [new IntegrityError("x"), Errno.EIO],
  [new LimitError("x"), Errno.EFBIG],
  [new AuthError("x"), Errno.EACCES],
  [new ProtocolError("x"), Errno.EIO],
  [new UsageError("x"), Errno.EINVAL],
  [new StateError("busy", "x"), Errno.EIO],
  [new TypeError("a bug"), Errno.EIO],
  ["not even an error", Errno.EIO],
];

Deno.test("errnoOf() maps every kind of error", () => {
  for (const [error, errno] of EXPECTED) assert.equal(errnoOf(error), errno, String(error));
});
