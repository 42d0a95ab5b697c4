import assert from "node:assert/strict";
import { goldenDatastore, PBS_KEYS } from "#tests/support/pbs_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { mustPbs, pbs } from "./_pbs.ts";

const READ = ["--allow-read"];
const STORE = ["--repository", goldenDatastore()];

const READERS = [
  "list",
  "snapshots",
  "snapshot list host/alpha",
  "files host/alpha",
  "notes host/alpha/2024-01-11T10:00:00Z",
  "snapshot protected show host/alpha/2024-01-11T10:00:00Z",
  "namespace list",
  "prune --keep-last 1 --dry-run",
];

for (const line of READERS) {
  Deno.test(`pbs ${line} needs the permission to read and nothing else`, async () => {
    assert.notEqual(await mustPbs([...line.split(" "), ...STORE], { permissions: READ }), "");
  });
}

Deno.test("pbs status needs to read and to know of file systems, or FFI", async () => {
  for (const permission of ["--allow-sys=statfs", "--allow-ffi"]) {
    const text = await mustPbs(["status", "--verbose", ...STORE], {
      permissions: [...READ, permission],
    });
    assert.match(text, /│ total /);
  }
});

Deno.test("pbs key show needs the permission to read and nothing else", async () => {
  const text = await mustPbs(["key", "show", `${PBS_KEYS}/key-none.json`], { permissions: READ });
  assert.match(text, /│ kdf {9}│ none/);
});

Deno.test("pbs key create needs to read, and to write the key", async () => {
  using directory = new TempDirectory("keys");
  const args = ["key", "create", directory.join("key"), "--kdf", "none"];
  await mustPbs(args, { permissions: [...READ, `--allow-write=${directory.path}`] });
});

for (const line of ["forget host/alpha/2024-01-12T10:00:00Z", "gc", "prune --keep-last 1"]) {
  Deno.test(`pbs ${line} changes nothing without FFI`, async () => {
    const { code, stderr } = await pbs([...line.split(" "), ...STORE], {
      permissions: [...READ, "--allow-write=/nonexistent"],
    });
    assert.notEqual(code, 0);
    assert.match(stderr, /ffi/i);
  });
}
