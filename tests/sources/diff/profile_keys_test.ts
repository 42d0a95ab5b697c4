import assert from "node:assert/strict";
import { FormatError, StateError } from "#src/errors.ts";
import type { Binding } from "#src/overlay/binding.ts";
import { readProfileKeys, requireOwnWal } from "#src/sources/diff/profile_keys.ts";

const BINDING: Binding = {
  format_version: 2,
  binding_id: "f3b0a1de-6f0e-4c42-8f4e-5d1c7f0b6a11",
  nonce: "0".repeat(32),
  source: { kind: "pxar", name: "pxar:/x", fingerprint: "1", ids: [] },
  created_at: 1,
  last_used_at: 1,
  owner_pid: 1,
  owner_host: "h",
  pbkfs_version: "0.1.0",
  state: "Released",
  xattrs_used: false,
};

function keysOf(more: Record<string, unknown>) {
  return readProfileKeys({ ...BINDING, ...more } as Binding, "/diff");
}

Deno.test("readProfileKeys() reads what was asked for a server, whatever the source", () => {
  assert.deepEqual(keysOf({}), { no_wal_used: false });
  const owner = { uid: 70, gid: 71 };
  assert.deepEqual(keysOf({ shown_owner: owner }), { no_wal_used: false, shown_owner: owner });
});

Deno.test("requireOwnWal() refuses what was mounted without WAL", () => {
  requireOwnWal(keysOf({}));
  assert.throws(
    () => requireOwnWal(keysOf({ no_wal_used: true })),
    (error) => error instanceof StateError && error.code === "no-wal-used",
  );
});

for (
  const damage of [
    { no_wal_used: "yes" },
    { shown_owner: "70:70" },
    { shown_owner: { uid: 70 } },
    { shown_owner: { uid: -1, gid: 0 } },
    { shown_owner: { uid: 0.5, gid: 0 } },
    { shown_owner: { uid: 2 ** 32, gid: 0 } },
  ]
) {
  Deno.test(`readProfileKeys() refuses ${JSON.stringify(damage)}`, () => {
    assert.throws(() => keysOf(damage), FormatError);
  });
}
