/**
 * Turns the Deno runtime (an ELF file) and a bundle of JavaScript into one executable
 * (docs/executable.md).
 *
 * The stub is appended behind the runtime and becomes its entry point. So that the kernel maps it,
 * the one `PT_NOTE` program header, which nothing needs at run time, is rewritten into a `PT_LOAD`
 * segment. Segments must be sorted by address, hence it must be the last header. The bundle follows
 * unmapped; the stub reads it from the file.
 *
 * Layout of what is appended, each part at a multiple of the segment alignment or of 4096:
 *
 *     stub code | u64 entry − stub | u64 bundle offset | u64 bundle size | u64 arguments | strings | bundle
 *
 * @module
 */

import { ENTRY_STUBS, type EntryStub } from "./entry_stub.ts";

/** The file given as runtime cannot be packed. */
export class PackError extends Error {
  override readonly name = "PackError";
}

const PT_LOAD = 1;
const PT_INTERP = 3;
const PT_NOTE = 4;
const PF_X = 1;
const PF_R = 4;
const ET_DYN = 3;
const FILE_HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const CONFIG_SIZE = 32;
const BUNDLE_ALIGNMENT = 4096;

interface ProgramHeader {
  /** Offset of the header itself in the file. */
  readonly place: number;
  readonly type: number;
  readonly address: bigint;
  readonly memorySize: bigint;
  readonly alignment: bigint;
}

interface RuntimeElf {
  readonly stub: EntryStub;
  readonly entry: bigint;
  /** The last program header, a `PT_NOTE`. */
  readonly note: ProgramHeader;
  /** First address above all segments. */
  readonly end: bigint;
  /** Largest alignment of the segments. */
  readonly alignment: number;
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

function alignUpBig(value: bigint, alignment: bigint): bigint {
  return (value + alignment - 1n) / alignment * alignment;
}

function require(condition: boolean, what: string): asserts condition {
  if (!condition) throw new PackError(`Cannot use this file as runtime: ${what}`);
}

function readProgramHeaders(view: DataView): ProgramHeader[] {
  const tableOffset = Number(view.getBigUint64(32, true));
  const size = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  require(size === PROGRAM_HEADER_SIZE, `program headers have ${size} bytes instead of 56`);
  require(
    count > 0 && tableOffset + count * size <= view.byteLength,
    "the program header table lies outside of the file",
  );
  return Array.from({ length: count }, (_, index) => {
    const place = tableOffset + index * size;
    return {
      place,
      type: view.getUint32(place, true),
      address: view.getBigUint64(place + 16, true),
      memorySize: view.getBigUint64(place + 40, true),
      alignment: view.getBigUint64(place + 48, true),
    };
  });
}

/**
 * Checks that the file is one the packing works for.
 *
 * @throws {PackError} naming what does not fit
 */
function inspectRuntime(runtime: Uint8Array): RuntimeElf {
  const view = new DataView(runtime.buffer, runtime.byteOffset, runtime.byteLength);
  require(
    runtime.length >= FILE_HEADER_SIZE && view.getUint32(0) === 0x7f454c46,
    "it is not an ELF file (a wrapper script?)",
  );
  require(runtime[4] === 2 && runtime[5] === 1, "it is not a 64-bit little-endian ELF file");
  require(view.getUint16(16, true) === ET_DYN, "it is not position independent");
  const machine = view.getUint16(18, true);
  const stub = ENTRY_STUBS.find((candidate) => candidate.machine === machine);
  require(stub !== undefined, `there is no entry stub for ELF machine ${machine}`);

  const headers = readProgramHeaders(view);
  const segments = headers.filter((header) => header.type === PT_LOAD);
  const note = headers.at(-1);
  require(segments.length > 0, "it has no segments");
  require(
    headers.some((header) => header.type === PT_INTERP),
    "it is not dynamically linked (no PT_INTERP)",
  );
  require(
    note !== undefined && note.type === PT_NOTE,
    "its last program header is not PT_NOTE (already packed?)",
  );
  for (let i = 1; i < segments.length; i++) {
    require(segments[i - 1]!.address < segments[i]!.address, "its segments are not sorted");
  }
  const entry = view.getBigUint64(24, true);
  require(entry !== 0n, "it has no entry point");
  let end = 0n;
  let alignment = BigInt(BUNDLE_ALIGNMENT);
  for (const segment of segments) {
    const segmentEnd = segment.address + segment.memorySize;
    if (segmentEnd > end) end = segmentEnd;
    if (segment.alignment > alignment) alignment = segment.alignment;
  }
  require(alignment <= 0x200000n, `its segments are aligned to ${alignment} bytes`);
  return { stub, entry, note, end, alignment: Number(alignment) };
}

function encodeStrings(strings: readonly string[]): Uint8Array {
  for (const text of strings) {
    if (text.includes("\0")) throw new PackError(`Cannot pack argument ${JSON.stringify(text)}`);
  }
  return new TextEncoder().encode(strings.map((text) => text + "\0").join(""));
}

/**
 * Packs runtime and bundle into one executable.
 *
 * @param runtimeArguments arguments of the runtime that come before the program's path: `run`,
 *   permissions and so on
 * @returns the bytes of the executable
 * @throws {PackError} when the runtime is not an ELF file of the expected make
 */
export function packExecutable(
  runtime: Uint8Array,
  bundle: Uint8Array,
  runtimeArguments: readonly string[],
): Uint8Array<ArrayBuffer> {
  const elf = inspectRuntime(runtime);
  const strings = encodeStrings(runtimeArguments);
  const stubSize = elf.stub.code.length + CONFIG_SIZE + strings.length;
  const stubOffset = alignUp(runtime.length, elf.alignment);
  const stubAddress = alignUpBig(elf.end, BigInt(elf.alignment));
  const bundleOffset = alignUp(stubOffset + stubSize, BUNDLE_ALIGNMENT);

  const packed = new Uint8Array(bundleOffset + bundle.length);
  packed.set(runtime);
  packed.set(elf.stub.code, stubOffset);
  packed.set(strings, stubOffset + elf.stub.code.length + CONFIG_SIZE);
  packed.set(bundle, bundleOffset);

  const view = new DataView(packed.buffer);
  const config = stubOffset + elf.stub.code.length;
  view.setBigUint64(config, BigInt.asUintN(64, elf.entry - stubAddress), true);
  view.setBigUint64(config + 8, BigInt(bundleOffset), true);
  view.setBigUint64(config + 16, BigInt(bundle.length), true);
  view.setBigUint64(config + 24, BigInt(runtimeArguments.length), true);

  const segment = elf.note.place;
  view.setUint32(segment, PT_LOAD, true);
  view.setUint32(segment + 4, PF_R | PF_X, true);
  view.setBigUint64(segment + 8, BigInt(stubOffset), true);
  view.setBigUint64(segment + 16, stubAddress, true);
  view.setBigUint64(segment + 24, stubAddress, true);
  view.setBigUint64(segment + 32, BigInt(stubSize), true);
  view.setBigUint64(segment + 40, BigInt(stubSize), true);
  view.setBigUint64(segment + 48, BigInt(elf.alignment), true);
  view.setBigUint64(24, stubAddress, true);
  return packed;
}
