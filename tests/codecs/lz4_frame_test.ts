/** LZ4 frames as the tool writes them, whole, cut off and damaged. */

import assert from "node:assert/strict";
import { decodeLz4File, lz4Preview } from "#src/codecs/lz4_frame.ts";
import { runCommand } from "#tests/support/process.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const CONTENT = content();
const FORMS = [[], ["-B4", "-BD"], ["-B7", "-BX"], ["--no-frame-crc"], ["--content-size", "-B5"]];

function content(): Uint8Array<ArrayBuffer> {
  const random = new Random(1);
  const noise = random.bytes(150_000);
  const bytes = new Uint8Array(500_000);
  // As a tar archive begins.
  bytes.set(new TextEncoder().encode("./name 0000644 ustar"));
  bytes.set(noise, 512);
  // Refers to what is blocks before, up to the limit.
  bytes.set(noise.subarray(90_000, 149_000), 150_000);
  bytes.fill(7, 300_000, 400_000);
  return bytes;
}

async function packed(options: readonly string[]): Promise<Uint8Array<ArrayBuffer>> {
  using home = new TempDirectory("lz4");
  Deno.writeFileSync(home.join("plain"), CONTENT);
  const command = ["lz4", "-q", ...options, home.join("plain"), home.join("packed")];
  await runCommand(command, { timeoutMs: 60_000 });
  return Deno.readFileSync(home.join("packed"));
}

Deno.test("Files of LZ4 frames expand to what they were made of, whatever the options", async () => {
  for (const options of FORMS) {
    const file = await packed(options);
    const skippable = new Uint8Array([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    const twice = new Uint8Array([...file, ...skippable, ...file]);
    const target = new Uint8Array(2 * CONTENT.length);
    assert.equal(decodeLz4File(twice, target), target.length, options.join(" "));
    assert.deepEqual(target.subarray(0, CONTENT.length), CONTENT);
    assert.deepEqual(target.subarray(CONTENT.length), CONTENT);
    assert.equal(decodeLz4File(file, new Uint8Array(CONTENT.length - 1)), -1);
    assert.deepEqual(lz4Preview(file.subarray(0, 4000), 512), CONTENT.slice(0, 512));
  }
});

Deno.test("A file of LZ4 frames that is cut off or damaged is never taken for a whole one", async () => {
  const file = await packed(["-B4", "-BD", "-BX"]);
  const target = new Uint8Array(CONTENT.length);
  const random = new Random(2);
  for (let run = 0; run < 100; run++) {
    const end = random.between(1, file.length - 1);
    assert.equal(decodeLz4File(file.slice(0, end), target), -1, `cut at ${end}`);
    const damaged = file.slice();
    const at = random.between(0, file.length - 1);
    damaged[at]! ^= 1 << random.between(0, 7);
    assert.equal(decodeLz4File(damaged, target), -1, `changed at ${at}`);
  }
});
