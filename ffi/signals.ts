/**
 * Takes a signal away from the runtime and delivers it as another one.
 *
 * The runtime opens its debugger on a local TCP port when the process gets SIGUSR1, listeners or not: on
 * a process that runs as root, that hands root to every local user. There is no switch for it. So the kernel is
 * told to call a few instructions of ours instead, which replace the signal number and go on to the runtime's own
 * handler: the runtime then sees the other signal, for which it has nothing but our listener.
 *
 * @module
 */

import { OsError } from "./os_error.ts";

const SYMBOLS = {
  sigaction: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  mmap: {
    parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"],
    result: "pointer",
  },
  mprotect: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  memcpy: { parameters: ["pointer", "buffer", "usize"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** glibc's `struct sigaction`: handler at 0, mask of 128 bytes at 8, flags at 136, restorer at 144. */
const SIGACTION_SIZE = 152;
const PAGE_SIZE = 65_536;
const PROT_READ_WRITE = 3;
const PROT_READ_EXEC = 5;
const MAP_PRIVATE_ANONYMOUS = 0x22;

/** Number of SIGUSR1 on Linux, x86-64 and arm64 alike. */
export const SIGUSR1 = 10;
/** Number of SIGURG on Linux, x86-64 and arm64 alike; ignored by processes that do not listen. */
export const SIGURG = 23;

/**
 * From now on `from` arrives as `to`. The runtime must have listeners for both signals already.
 *
 * @throws {OsError}
 */
export function forwardSignal(from: number, to: number): void {
  const libc = Deno.dlopen("libc.so.6", SYMBOLS).symbols;
  const check = (result: number, call: string) => {
    if (result !== 0) throw new OsError(1, call, `signal ${from}`);
  };
  const action = new Uint8Array(SIGACTION_SIZE);
  check(libc.sigaction(from, null, action), "sigaction");
  const view = new DataView(action.buffer);
  const code = forwardingCode(view.getBigUint64(0, true), to);
  const memory = libc.mmap(
    null,
    BigInt(PAGE_SIZE),
    PROT_READ_WRITE,
    MAP_PRIVATE_ANONYMOUS,
    -1,
    0n,
  );
  const address = Deno.UnsafePointer.value(memory);
  if (address === 0xffff_ffff_ffff_ffffn) throw new OsError(12, "mmap", `signal ${from}`);
  libc.memcpy(memory, code, BigInt(code.length));
  check(libc.mprotect(memory, BigInt(PAGE_SIZE), PROT_READ_EXEC), "mprotect");
  view.setBigUint64(0, address, true);
  check(libc.sigaction(from, action, null), "sigaction");
}

/** Instructions that put `signal` into the first argument and jump to `handler`. */
export function forwardingCode(
  handler: bigint,
  signal: number,
  arch: string = Deno.build.arch,
): Uint8Array<ArrayBuffer> {
  const code = new Uint8Array(24);
  const view = new DataView(code.buffer);
  if (arch === "aarch64") {
    view.setUint32(0, (0x52800000 | (signal << 5)) >>> 0, true); // movz w0, #signal
    view.setUint32(4, 0x58000070, true); // ldr x16, [pc + 12]
    view.setUint32(8, 0xd61f0200, true); // br x16
    view.setUint32(12, 0xd503201f, true); // nop
    view.setBigUint64(16, handler, true);
  } else {
    view.setUint8(0, 0xbf); // mov edi, signal
    view.setUint32(1, signal, true);
    view.setUint16(5, 0xb848, true); // mov rax, handler
    view.setBigUint64(7, handler, true);
    view.setUint16(15, 0xe0ff, true); // jmp rax
  }
  return code;
}
