import assert from "node:assert/strict";
import { Command } from "commander";
import {
  addBackupOptions,
  type BackupCommandOptions,
  parseBackupRequest,
} from "#src/cli/options/backup_options.ts";
import { UsageError } from "#src/errors.ts";
import { parseNamespace } from "#src/pbs/format/snapshot_path.ts";

function parse(line: string) {
  const command = addBackupOptions(new Command("backup").argument("<spec...>"))
    .exitOverride().configureOutput({ writeErr: () => {} });
  command.parse(line.split(" "), { from: "user" });
  const options = { ...command.opts(), args: command.args } as BackupCommandOptions;
  return parseBackupRequest(options, parseNamespace(options.ns ?? ""), () => "elsa");
}

Deno.test("parseBackupRequest() fills in what was left out", () => {
  const request = parse("root.pxar:/srv a.conf:/etc/a");
  assert.deepEqual(request.specs, [
    { kind: "pxar", name: "root.pxar", path: "/srv" },
    { kind: "blob", name: "a.conf", path: "/etc/a" },
  ]);
  assert.deepEqual(request.group, { ns: "", type: "host", id: "elsa" });
  assert.equal(request.time, undefined);
  assert.equal(request.mode, "legacy");
  assert.equal(request.chunkSize, undefined);
  assert.ok(request.workers >= 0 && request.workers <= navigator.hardwareConcurrency);
  assert.equal(request.isDryRun, false);
});

Deno.test("parseBackupRequest() takes names, times, sizes and modes", () => {
  const request = parse(
    "d.img:/dev/sda --ns a/b --backup-type vm --backup-id 100 --backup-time 2024-01-10T10:00:00Z " +
      "--change-detection-mode metadata --chunk-size 64 --workers 0 --dry-run --exclude x --exclude !y",
  );
  assert.deepEqual(request.group, { ns: "a/b", type: "vm", id: "100" });
  assert.equal(request.time, 1704880800);
  assert.equal(request.mode, "metadata");
  assert.equal(request.chunkSize, 65536);
  assert.equal(request.workers, 0);
  assert.equal(request.isDryRun, true);
  assert.deepEqual(request.build.exclude, ["x", "!y"]);
  assert.equal(parse("a.conf:/a --backup-time 1704880800").time, 1704880800);
});

for (
  const wrong of [
    "root.tar:/srv",
    "a.conf:/a a.conf:/b",
    "a.conf:/a --backup-id a/b",
    "a.conf:/a --backup-time yesterday",
    "a.conf:/a --backup-time 0",
    "a.conf:/a --chunk-size 32",
    "a.conf:/a --chunk-size 100",
    "a.conf:/a --chunk-size 8192",
    "a.conf:/a --workers -1",
    "a.conf:/a --ns a//b",
    "a.conf:/a --entries-max none",
  ]
) {
  Deno.test(`parseBackupRequest() refuses ${wrong}`, () => {
    assert.throws(() => parse(wrong), UsageError);
  });
}
