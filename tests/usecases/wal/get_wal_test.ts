/** Files of a WAL archive in all forms, whole ones only, and of this cluster only. */

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { hostCodecs } from "#src/codecs/codecs.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { getWal } from "#src/usecases/wal/get_wal.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const SEGMENT_SIZE = 1 << 20;
const CLUSTER = 7_451_234_567_890_123_456n;
const NAME = "000000010000000000000005";

/** A segment with the header that it must have, and records that do not compress away. */
function segment(cluster = CLUSTER, number = 5): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SEGMENT_SIZE);
  for (let index = 40; index < bytes.length / 2; index += 4) {
    new DataView(bytes.buffer).setUint32(index, Math.imul(index, 2654435761) >>> (index & 16));
  }
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0xd110, true);
  view.setUint16(2, 2, true);
  view.setUint32(4, 1, true);
  view.setBigUint64(8, BigInt(number * SEGMENT_SIZE), true);
  view.setBigUint64(24, cluster, true);
  view.setUint32(32, SEGMENT_SIZE, true);
  view.setUint32(36, 8192, true);
  return bytes;
}

class Archive implements Disposable {
  readonly home = new TempDirectory("wal");
  readonly directory = this.home.join("catalog/wal/main");
  readonly targetPath = this.home.join("RECOVERYXLOG");

  constructor() {
    Deno.mkdirSync(this.directory, { recursive: true });
    const instance = this.home.join("catalog/backups/main");
    Deno.mkdirSync(instance, { recursive: true });
    Deno.writeTextFileSync(
      `${instance}/pg_probackup.conf`,
      `pgdata = /x\nsystem-identifier = ${CLUSTER}\nxlog-seg-size = ${SEGMENT_SIZE}\n`,
    );
  }

  put(name: string, bytes: Uint8Array): void {
    Deno.writeFileSync(`${this.directory}/${name}`, bytes);
  }

  get(name = NAME) {
    const store = this.home.join("catalog");
    return getWal({ store, instance: "main", name, targetPath: this.targetPath });
  }

  [Symbol.dispose](): void {
    this.home[Symbol.dispose]();
  }
}

async function lz4(bytes: Uint8Array, ...flags: string[]): Promise<Uint8Array> {
  using home = new TempDirectory("lz4");
  Deno.writeFileSync(home.join("a"), bytes);
  await runCommand(["lz4", "-q", ...flags, home.join("a"), home.join("b")], { timeoutMs: 60_000 });
  return Deno.readFileSync(home.join("b"));
}

function zstd(bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  const target = hostFiles.allocate(2 * bytes.length);
  const source = hostFiles.bufferOf(bytes);
  const codecs = hostCodecs();
  const count = codecs.compressZstd(source, 0, bytes.length, target, 0, target.bytes.length);
  return target.bytes.subarray(0, count);
}

const hasLz4 = (await new Deno.Command("sh", { args: ["-c", "command -v lz4"], stdout: "null" })
  .output()).success;

Deno.test("a segment is found in every form", () => {
  const bytes = segment();
  const forms = {
    "": bytes,
    ".gz": gzipSync(bytes),
    ".zst": zstd(bytes),
  };
  for (const [suffix, stored] of Object.entries(forms)) {
    using archive = new Archive();
    archive.put(NAME + suffix, stored);
    assert.equal(archive.get()?.sizeBytes, SEGMENT_SIZE, suffix);
    assert.deepEqual(Deno.readFileSync(archive.targetPath), bytes);
    assert.deepEqual([...Deno.readDirSync(archive.home.path)].map(({ name }) => name).sort(), [
      "RECOVERYXLOG",
      "catalog",
    ]);
  }
});

Deno.test("a segment is found as a frame of lz4", { ignore: !hasLz4 }, async () => {
  const bytes = segment();
  // Blocks that refer to earlier ones, checksums of blocks, the size in the header; none of them.
  for (const flags of [["-BD", "-BX", "--content-size"], ["--no-frame-crc", "-9"], ["-B4"]]) {
    using archive = new Archive();
    const stored = await lz4(bytes, ...flags);
    archive.put(`${NAME}.lz4`, stored);
    archive.get();
    assert.deepEqual(Deno.readFileSync(archive.targetPath), bytes);
    archive.put(`${NAME}.lz4`, stored.subarray(0, stored.length - 5));
    assert.throws(() => archive.get(), { code: "integrity" });
  }
  using archive = new Archive();
  const changed = await lz4(bytes);
  changed[changed.length - 100]! ^= 1;
  archive.put(`${NAME}.lz4`, changed);
  assert.throws(() => archive.get(), { code: "integrity" });
});

Deno.test("what is not there is told from what is damaged", () => {
  using archive = new Archive();
  assert.equal(archive.get(), undefined);
  assert.equal(archive.get("00000002.history"), undefined);
  // Nobody has asked for what was not complete.
  archive.put(`${NAME}.partial`, segment());
  assert.equal(archive.get(), undefined);
  assert.equal(archive.get(`${NAME}.partial`)?.sizeBytes, SEGMENT_SIZE);
  archive.put("00000002.history", new TextEncoder().encode("1\t0/5000000\tx\n"));
  assert.equal(archive.get("00000002.history")?.sizeBytes, 14);

  const refused: Readonly<Record<string, Uint8Array>> = {
    "cut off": segment().subarray(0, SEGMENT_SIZE / 2),
    "too long": new Uint8Array([...segment(), 0]),
    "of another cluster": segment(CLUSTER + 1n),
    "another one": segment(CLUSTER, 6),
    "empty": new Uint8Array(SEGMENT_SIZE),
  };
  Deno.removeSync(archive.targetPath);
  for (const [what, bytes] of Object.entries(refused)) {
    archive.put(NAME, bytes);
    assert.throws(() => archive.get(), { code: "integrity" }, what);
  }
  Deno.removeSync(`${archive.directory}/${NAME}`);
  archive.put(`${NAME}.gz`, gzipSync(segment()).subarray(0, 1000));
  assert.throws(() => archive.get(), { code: "integrity" });
  // It would expand to more than a segment.
  archive.put(`${NAME}.gz`, gzipSync(new Uint8Array(3 * SEGMENT_SIZE)));
  assert.throws(() => archive.get(), { code: "integrity" });
  assert.throws(() => archive.get("../../pg_probackup.conf"), { code: "usage" });
  assert.throws(() => Deno.statSync(archive.targetPath), Deno.errors.NotFound);
});

Deno.test("an archive that cannot be found is not an archive that has ended", () => {
  using archive = new Archive();
  Deno.removeSync(archive.directory, { recursive: true });
  assert.throws(() => archive.get(), { code: "not-found" });
});
