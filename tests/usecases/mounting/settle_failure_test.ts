/** What is said when the last sync of a diff directory fails. */

import assert from "node:assert/strict";
import { settleFailure } from "#src/usecases/mounting/settle_failure.ts";
import { Errno, FormatError, OsError } from "#src/errors.ts";

const hintOf = (errno: number, skipFsync = false) =>
  (settleFailure(new OsError(errno, "sync", "/d"), "/d", skipFsync) as OsError).hint ?? "";

Deno.test("settleFailure() says what is safe, and what helps, by what has happened", () => {
  const { ENOENT, ENOTDIR, ESTALE, ENOSPC, EDQUOT, EROFS, EIO, ENXIO } = Errno;
  for (const errno of [ENOENT, ENOTDIR, ESTALE]) {
    assert.match(hintOf(errno), /What was removed is lost, synced or not.*If it was moved, what/);
    assert.doesNotMatch(hintOf(errno), /room|[Rr]epair/);
  }
  for (const errno of [ENOSPC, EDQUOT]) {
    assert.match(hintOf(errno), /synced .*is safe.*Make room on its disk/);
  }
  assert.match(hintOf(EROFS), /synced .*is safe.*Make its disk writable again/);
  for (const errno of [EIO, ENXIO]) {
    assert.match(hintOf(errno), /is as safe as the disk is.*Repair its disk/);
  }
});

Deno.test("settleFailure() promises nothing where fsync was skipped", () => {
  for (const errno of [Errno.ENOENT, Errno.ENOSPC, Errno.EROFS, Errno.EIO]) {
    assert.match(hintOf(errno, true), /[Ww]ith `skipFsync` nothing that was written/);
    assert.doesNotMatch(hintOf(errno, true), /had synced/);
  }
});

Deno.test("settleFailure() names the diff directory, and gives other errors back", () => {
  const error = settleFailure(new OsError(Errno.EIO, "sync", "x"), "/d", false) as OsError;
  assert.equal(error.message, 'Cannot make all changes durable in "/d": EIO (input/output error)');
  const other = new FormatError("damaged");
  assert.equal(settleFailure(other, "/d", false), other);
});
