/**
 * Commands that only read a snapshot need the permission to read and nothing else; the same bytes
 * come out without FFI.
 */

import assert from "node:assert/strict";
import { goldenDatastore, HAS_ALL_CHUNKS, PBS_KEYS } from "#tests/support/pbs_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { pbs } from "./_pbs.ts";

const REPOSITORY = ["--repository", `dir:${goldenDatastore()}`];
const MASTER = ["--keyfile", `${PBS_KEYS}/key-none.json`];
const FFI = ["--allow-read", "--allow-ffi"];

const READING: readonly (readonly string[])[] = [
  ["ls", "ct/200", "root.pxar"],
  ["ls", "-l", "ct/200", "root.pxar", "/d0"],
  ["ls", "-R", "ct/200", "root.pxar", "--format", "json"],
  ["find", "ct/200", "root.pxar", "-t", "f", "-l"],
  ["stat", "ct/200", "root.pxar", "/", "--output-format", "json"],
  ["cat", "ct/200", "root.pxar", "/d0/f0000.txt"],
  ["catalog", "dump", "ct/200"],
  ["catalog", "dump", "host/split"],
  ["restore", "ct/200", "pct.conf", "-"],
  ["restore", "ct/200", "index.json", "-"],
  ["restore", "ct/200", "root.pxar", "/no-such-place", "--dry-run"],
  ["restore", "host/alpha/2024-01-11T10:00:00Z", "tiny.conf", "-"],
  ["diff", "ct/200", "ct/200", "root.pxar"],
];

/** What needs chunks that the committed datastore does not have. */
const READING_ALL: readonly (readonly string[])[] = [
  ["ls", "-R", "host/split", "root.pxar"],
  ["find", "host/master", "data.pxar", "-t", "f", ...MASTER],
  ["cat", "host/master", "data.pxar", "/big/text.log", ...MASTER],
  ["restore", "vm/100", "drive-scsi0.img", "-"],
  ["diff", "host/split/2024-01-11T10:00:00Z", "host/split/2024-01-10T10:00:00Z", "root.pxar"],
];

for (const [all, isIgnored] of [[READING, false], [READING_ALL, !HAS_ALL_CHUNKS]] as const) {
  for (const args of all) {
    const shown = args.join(" ").replaceAll(/\/\S*\//g, "");
    Deno.test({
      name: `pbkfs pbs ${shown} needs the permission to read and nothing else`,
      ignore: isIgnored,
      fn: async () => {
        const command = [...args, ...REPOSITORY];
        const { code, stdout, stderr } = await pbs(command, { permissions: ["--allow-read"] });
        assert.equal(stderr, "");
        assert.equal(code, 0);
        const withFfi = await pbs(command, { permissions: FFI });
        assert.equal(withFfi.stderr, "");
        assert.ok(withFfi.stdout === stdout, "the same with FFI");
      },
    });
  }
}

Deno.test("pbkfs pbs restore --no-owner --no-xattrs writes only its target, without FFI", async () => {
  using home = new TempDirectory("restore");
  const target = home.join("out");
  const permissions = ["--allow-read", `--allow-write=${target}`];
  const args = ["restore", "ct/200", "root.pxar", target, "--no-owner", "--no-xattrs"];
  const { code, stderr } = await pbs([...args, ...REPOSITORY], { permissions });
  assert.equal(stderr, "");
  assert.equal(code, 0);
  const diff = ["diff", "ct/200", target, "root.pxar", "--ignore", "uid,gid", ...REPOSITORY];
  assert.equal((await pbs(diff, { permissions: ["--allow-read"] })).stdout, "");
});

Deno.test("pbkfs pbs backup says that it needs FFI", async () => {
  const args = ["backup", "a.conf:/etc/hostname", "--backup-id", "x", ...REPOSITORY];
  const { code, stderr } = await pbs(args, { permissions: ["--allow-read", "--allow-write"] });
  assert.equal(code, 2);
  assert.match(stderr, /FFI|--allow-ffi/);
});
