/**
 * The machine code of the entry stub, one for each processor.
 *
 * Source: `stub/`; the committed bytes in `entry_stub_code.json` are made by
 * `stub/compile_stub.ts`.
 *
 * @module
 */

import code from "./entry_stub_code.json" with { type: "json" };

/**
 * Position-independent code that starts at its first byte and reads its configuration behind its
 * last.
 */
export interface EntryStub {
  /** `e_machine` of the ELF files it is for. */
  readonly machine: number;
  readonly code: Uint8Array;
}

const EM_X86_64 = 62;
const EM_AARCH64 = 183;

/** All entry stubs there are. */
export const ENTRY_STUBS: readonly EntryStub[] = [
  { machine: EM_X86_64, code: Uint8Array.fromBase64(code.x86_64.code) },
  { machine: EM_AARCH64, code: Uint8Array.fromBase64(code.aarch64.code) },
];
