import assert from "node:assert/strict";
import { OsError, StateError } from "#src/errors.ts";
import { Output } from "#src/cli/output/output.ts";
import { PartialListing } from "#src/cli/output/partial_listing.ts";
import { parseGroup, parseNamespace } from "#src/pbs/format/snapshot_path.ts";
import { contextOf } from "../pbs/_context.ts";

const GROUP = parseGroup("host/a", parseNamespace(""));

Deno.test("PartialListing leaves out what is gone, and what cannot be read with a warning", () => {
  const context = contextOf({});
  const listing = new PartialListing(new Output({}, context));
  assert.deepEqual(listing.of(GROUP, () => [1, 2]), [1, 2]);
  const gone = () => {
    throw new StateError("not-found", "Cannot find it");
  };
  assert.deepEqual(listing.of(GROUP, gone), []);
  listing.finish();
  assert.equal(context.printed.err, "");
  const unreadable = () => {
    throw new OsError(13, "list", "/store/host/a");
  };
  assert.deepEqual(listing.of(GROUP, unreadable), []);
  assert.match(context.printed.err, /^warning: host\/a: .*EACCES/);
  assert.throws(() => listing.finish(), { code: "partial" });
});
