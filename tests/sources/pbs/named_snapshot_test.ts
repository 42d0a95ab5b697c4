import assert from "node:assert/strict";
import { UsageError } from "#src/errors.ts";
import { serverOf } from "#src/sources/pbs/store_place.ts";

const SERVER = { kind: "server", user: "me@pbs", token: undefined, host: "host", port: 8007 };

Deno.test("serverOf() takes a place with a login for a server's, and all others for paths", () => {
  for (const place of ["me@pbs@host:store", "//me@pbs@host/store", "//me@pbs@host:8007/store"]) {
    assert.deepEqual(serverOf(place), { ...SERVER, store: "store" }, place);
  }
  assert.deepEqual(
    serverOf("//me@pbs!token@[::1]:1234/store"),
    { kind: "server", user: "me@pbs", token: "token", host: "::1", port: 1234, store: "store" },
  );
  for (
    const place of ["store", "/store", "./me@pbs@host:store", "dir:/me@host:x", "a:b", "//a/b"]
  ) {
    assert.equal(serverOf(place), undefined, place);
  }
  assert.throws(() => serverOf("//me@pbs@host:99999/store"), UsageError);
  assert.throws(() => serverOf("//me@pbs@host/store/more"), UsageError);
});
