import assert from "node:assert/strict";
import { PackError, packExecutable } from "../../scripts/executable/elf_pack.ts";
import { ENTRY_STUBS } from "../../scripts/executable/entry_stub.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const EM_X86_64 = 62;
const EM_AARCH64 = 183;
const ALIGNMENT = 0x10000;
const SEGMENT_END = 0x2345;
const ENTRY = 0x1234n;

/** The smallest file the packer takes: one segment, an interpreter, a note. */
function smallElf(machine = EM_X86_64): Uint8Array<ArrayBuffer> {
  const elf = new Uint8Array(0x200);
  const view = new DataView(elf.buffer);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 3, true);
  view.setUint16(18, machine, true);
  view.setBigUint64(24, ENTRY, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 3, true);
  for (const [index, type] of [3, 1, 4].entries()) view.setUint32(64 + index * 56, type, true);
  const segment = 64 + 56;
  view.setBigUint64(segment + 40, BigInt(SEGMENT_END), true);
  view.setBigUint64(segment + 48, BigInt(ALIGNMENT), true);
  return elf;
}

function refusal(change: (view: DataView, elf: Uint8Array) => void): string {
  const elf = smallElf();
  change(new DataView(elf.buffer), elf);
  try {
    packExecutable(elf, new Uint8Array(1), []);
  } catch (error) {
    assert(error instanceof PackError);
    return error.message;
  }
  return "packed";
}

Deno.test("packExecutable() maps the stub behind the segments and enters it", () => {
  for (const machine of [EM_X86_64, EM_AARCH64]) {
    const code = ENTRY_STUBS.find((stub) => stub.machine === machine)!.code;
    const bundle = new TextEncoder().encode("console.log(1)");
    const packed = packExecutable(smallElf(machine), bundle, ["run", "--ext=js"]);
    const view = new DataView(packed.buffer);
    const note = 64 + 2 * 56;
    const offset = Number(view.getBigUint64(note + 8, true));
    const address = view.getBigUint64(note + 16, true);
    assert.equal(view.getUint32(note, true), 1, "PT_LOAD");
    assert.equal(view.getUint32(note + 4, true), 5, "R + X");
    assert.equal(view.getBigUint64(24, true), address, "entry point");
    assert.equal(offset % ALIGNMENT, 0);
    assert.equal(address % BigInt(ALIGNMENT), 0n);
    assert(address >= BigInt(SEGMENT_END));
    assert.deepEqual(packed.subarray(offset, offset + code.length), code);

    const config = offset + code.length;
    const distance = view.getBigUint64(config, true);
    assert.equal(BigInt.asUintN(64, address + distance), ENTRY);
    const bundleOffset = Number(view.getBigUint64(config + 8, true));
    assert.equal(view.getBigUint64(config + 16, true), BigInt(bundle.length));
    assert.deepEqual(packed.subarray(bundleOffset), bundle);
    assert.equal(view.getBigUint64(config + 24, true), 2n);
    const strings = new TextDecoder().decode(packed.subarray(config + 32, config + 45));
    assert.equal(strings, "run\0--ext=js\0");
  }
});

Deno.test("packExecutable() says what does not fit", () => {
  assert.match(refusal((view) => view.setUint8(0, 0x23)), /not an ELF file/);
  assert.match(refusal((view) => view.setUint8(4, 1)), /64-bit/);
  assert.match(refusal((view) => view.setUint8(5, 2)), /little-endian/);
  assert.match(refusal((view) => view.setUint16(16, 2, true)), /position independent/);
  assert.match(refusal((view) => view.setUint16(18, 8, true)), /no entry stub for ELF machine 8/);
  assert.match(refusal((view) => view.setUint16(54, 32, true)), /32 bytes/);
  assert.match(refusal((view) => view.setUint16(56, 0, true)), /outside/);
  assert.match(refusal((view) => view.setUint16(56, 60_000, true)), /outside/);
  assert.match(refusal((view) => view.setBigUint64(32, 1n << 62n, true)), /outside/);
  assert.match(refusal((view) => view.setUint32(64, 6, true)), /dynamically linked/);
  assert.match(refusal((view) => view.setUint32(64 + 56, 6, true)), /no segments/);
  assert.match(refusal((view) => view.setUint32(64 + 112, 6, true)), /not PT_NOTE/);
  assert.match(refusal((view) => view.setBigUint64(24, 0n, true)), /entry point/);
  assert.match(refusal((view) => view.setUint32(64, 1, true)), /dynamically linked|not sorted/);
  assert.throws(() => packExecutable(new Uint8Array(10), new Uint8Array(1), []), PackError);
  assert.throws(() => packExecutable(smallElf(), new Uint8Array(1), ["a\0b"]), PackError);
});

Deno.test("packExecutable() makes a program of the running runtime", async () => {
  using place = new TempDirectory("pack");
  const program = place.join("program");
  const bundle = new TextEncoder().encode(
    'console.log(JSON.stringify([Deno.args, Deno.execPath(), "x".length])); Deno.exit(7);',
  );
  const runtime = Deno.readFileSync(Deno.execPath());
  const args = ["run", "--no-prompt", "--no-config", "--ext=js", "--allow-read"];
  Deno.writeFileSync(program, packExecutable(runtime, bundle, args), { mode: 0o755 });
  const many = Array.from({ length: 20_000 }, (_, index) => `argument-${index}`);
  for (
    const { shell, expected } of [
      { shell: '"$0" --help -- "a b"', expected: ["--help", "--", "a b"] },
      { shell: 'env -i "$0" mount', expected: ["mount"] },
      // With stdin closed the memory file must not take its place.
      { shell: '"$0" closed <&-', expected: ["closed"] },
      { shell: '"$0" "$@"', expected: many },
    ]
  ) {
    const rest = shell.includes('"$@"') ? many : [];
    const { code, stdout } = await runCommand(["sh", "-c", shell, program, ...rest], {
      timeoutMs: 20_000,
      check: false,
    });
    assert.deepEqual(JSON.parse(stdout), [expected, program, 1]);
    assert.equal(code, 7);
  }
});
