/** Contents that are not what the checksums of a backup say, or that their own one says. */

import assert from "node:assert/strict";
import { crc32c } from "#src/bytes/crc32c.ts";
import { IntegrityError } from "#src/errors.ts";
import { isDamagedControlFile } from "#src/sources/format/control_file.ts";
import { openSource, type Source } from "#src/sources/mod.ts";
import type { ExtractProblem } from "#src/pxar/extractor/report.ts";
import { checkTree } from "#src/usecases/archive/checking.ts";
import { readFiles } from "#src/usecases/archive/contents.ts";
import { copyOut, type ExtractRequest, extractToTarget } from "#src/usecases/archive/extraction.ts";
import { treeOfSource } from "#src/usecases/archive/trees.ts";
import { copyIntoArchive } from "#src/usecases/copying/copy.ts";
import { BackupWriter, createInstance } from "#tests/support/backup_writer.ts";
import { bash } from "#tests/support/everything_tree.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const PLAIN = "postgresql.conf";
const CONTROL = "global/pg_control";

/** A control file with its checksum where version 15 has it. */
function controlFile(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8192);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, 7000000000000000004n, true);
  view.setUint32(8, 1300, true);
  view.setUint32(288, crc32c(bytes, 0, 288), true);
  return bytes;
}

function writeCatalog(store: string): BackupWriter {
  const config = { systemIdentifier: "7000000000000000004", walSegmentBytes: 16 << 20 };
  const writer = new BackupWriter(createInstance(store, "main", config), {
    serverVersion: 15,
    checksumVersion: 0,
    compression: "none",
    mode: "FULL",
    startSeconds: 1_800_000_000,
  });
  writer.addDirectory("global");
  writer.addPlainFile("PG_VERSION", 0o600, new TextEncoder().encode("15\n"));
  // More than is read at a time.
  writer.addPlainFile(PLAIN, 0o600, new Uint8Array(600_000).map((_, index) => index % 251));
  writer.addPlainFile(CONTROL, 0o600, controlFile());
  writer.finish();
  return writer;
}

function flip(path: string, offset: number): void {
  using file = Deno.openSync(path, { read: true, write: true });
  const byte = new Uint8Array(1);
  file.seekSync(offset, Deno.SeekMode.Start);
  file.readSync(byte);
  file.seekSync(offset, Deno.SeekMode.Start);
  file.writeSync(byte.map((value) => value ^ 1));
}

function requestOf(source: Source): ExtractRequest {
  return {
    input: treeOfSource(source),
    patterns: [],
    filesFrom: undefined,
    preludeTarget: undefined,
    isDryRun: false,
    isStrict: false,
    ignoresDeviceErrors: false,
    target: {},
  };
}

function findingsOf(source: Source) {
  return checkTree(treeOfSource(source), { findingsMax: 10, onProgress() {} }).findings;
}

Deno.test("A whole file of a backup that is not as its list says is noticed by all readers", async () => {
  using home = new TempDirectory("damaged-contents");
  const writer = writeCatalog(home.join("catalog"));
  const name = `${home.join("catalog")}#main/${writer.id}`;
  const stored = writer.storedPath(PLAIN);
  const read = (source: Source) => {
    let size = 0;
    readFiles(treeOfSource(source), [PLAIN], (bytes) => void (size += bytes.length));
    return size;
  };
  const isDamage = (error: unknown) =>
    error instanceof IntegrityError && error.path === stored && error.backupId === writer.id;
  {
    using sound = await openSource(name);
    assert.equal(read(sound), 600_000);
    assert.deepEqual(findingsOf(sound), []);
  }
  flip(stored, 599_999);
  using source = await openSource(name);
  assert.throws(() => read(source), isDamage);
  const request = { path: home.join("x.pxar"), exclude: [] };
  assert.throws(() => copyIntoArchive(source, request), isDamage);
  assert.deepEqual([...Deno.readDirSync(home.path)].map((entry) => entry.name), ["catalog"]);
  // Everything else is restored; of the file what came before, as of any damaged one.
  const problems: string[] = [];
  const onProblem = ({ path, error }: ExtractProblem) =>
    void problems.push(`${path}: ${error.message}`);
  extractToTarget(requestOf(source), home.join("extracted"), () => ({ onProblem }));
  Deno.mkdirSync(home.join("copied"));
  copyOut(requestOf(source), [PLAIN, CONTROL], home.join("copied"), () => ({ onProblem }));
  assert.equal(problems.length, 2);
  for (const problem of problems) {
    assert.match(problem, /^\/postgresql\.conf: .*CRC is \d+, the file list says \d+/);
    assert.ok(problem.includes(stored) && problem.includes(writer.id), problem);
  }
  for (const place of ["extracted", "copied"]) {
    assert.ok(Deno.statSync(home.join(`${place}/${PLAIN}`)).size < 600_000);
  }
  assert.equal(Deno.statSync(home.join(`extracted/${CONTROL}`)).size, 8192);
  assert.equal(Deno.statSync(home.join("copied/pg_control")).size, 8192);
  assert.deepEqual(findingsOf(source).map(({ path, code }) => [path, code]), [
    [`/${PLAIN}`, "integrity"],
  ]);
});

Deno.test("A control file without its own checksum is found, in whatever it is kept", async () => {
  using home = new TempDirectory("damaged-contents");
  const writer = writeCatalog(home.join("catalog"));
  // The list has another checksum of this file: the one in it.
  flip(writer.storedPath(CONTROL), 40);
  const chain = `${home.join("catalog")}#main/${writer.id}`;
  const data = `${writer.directory}/database`;
  await bash(`tar -cf "$2" -C "$1" .`, data, home.join("x.tar"));
  using pgpro = await openSource(chain);
  copyIntoArchive(pgpro, { path: home.join("x.mpxar"), exclude: [] });
  for (const name of [chain, `dir:${data}`, home.join("x.tar"), home.join("x.mpxar")]) {
    using source = await openSource(name);
    const findings = findingsOf(source);
    assert.deepEqual(findings.map(({ path, code }) => [path, code]), [
      [`/${CONTROL}`, "integrity"],
    ], name);
  }
});

Deno.test("The checksum of a control file is looked for wherever a version may have it", () => {
  const bytes = controlFile();
  assert.equal(isDamagedControlFile(bytes, "15"), false);
  assert.equal(
    isDamagedControlFile(bytes.map((byte, index) => index === 287 ? 1 : byte), "15"),
    true,
  );
  assert.equal(isDamagedControlFile(bytes.subarray(0, 290), "15"), true);
  assert.equal(isDamagedControlFile(new Uint8Array(8192), "9.4"), false);
  const other = new Uint8Array(512).fill(7);
  new DataView(other.buffer).setUint32(240, crc32c(other, 0, 240), false);
  assert.equal(isDamagedControlFile(other, "9.6"), false);
});
