/**
 * Signals handled by a few instructions of ours: delivered as another signal, or noted down.
 *
 * The runtime opens its debugger on a local TCP port when the process gets SIGUSR1, listeners or
 * not: on a process that runs as root, that hands root to every local user. There is no switch for
 * it. So the kernel is told to call a few instructions of ours instead, which replace the signal
 * number and go on to the runtime's own handler: the runtime then sees the other signal, for which
 * it has nothing but our listener.
 *
 * The runtime tells listeners of signals only between two turns of its event loop. Work that is one
 * long turn asks a {@link SignalLatch} now and then.
 *
 * @module
 */

import { OsError } from "../os_error.ts";

const SYMBOLS = {
  sigaction: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  mmap: {
    parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"],
    result: "pointer",
  },
  mprotect: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  memcpy: { parameters: ["pointer", "buffer", "usize"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * glibc's `struct sigaction`: handler at 0, mask of 128 bytes at 8, flags at 136, restorer at 144.
 */
const SIGACTION_SIZE = 152;
const PAGE_SIZE = 65_536;
const PROT_READ_WRITE = 3;
const PROT_READ_EXEC = 5;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const SIG_IGN = 1n;
const SA_RESTART = 0x1000_0000;
const SA_RESETHAND = 0x8000_0000;

/** Numbers of the signals that ask a process to end. */
export const SIGHUP = 1;
/** Ctrl-C. */
export const SIGINT = 2;
/** What kill(1) sends. */
export const SIGTERM = 15;
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
  const action = readAction(from);
  const view = new DataView(action.buffer);
  const { code } = makeHandler(
    (handler) => forwardingCode(handler, to),
    view.getBigUint64(0, true),
  );
  view.setBigUint64(0, code, true);
  writeAction(from, action);
}

/** Notes that a signal has come. */
export interface SignalLatch {
  /** Whether one of the signals has come. */
  readonly isRaised: boolean;
  /** Lets the signals do what they did before. */
  release(): void;
}

/**
 * From now on the first of `signals` that comes is noted down and does nothing else. A second one
 * of the same kind does what it does by default: end the process. Signals that are ignored stay so.
 *
 * @throws {OsError}
 */
export function latchSignals(signals: readonly number[]): SignalLatch {
  const { code, data } = makeHandler(latchingCode);
  const flag = new Deno.UnsafePointerView(Deno.UnsafePointer.create(data)!);
  const former = signals.map((signal) => ({ signal, action: readAction(signal) }))
    // What was started to ignore a signal (`nohup`) goes on ignoring it.
    .filter(({ action }) => handlerOf(action) !== SIG_IGN);
  for (const { signal } of former) {
    const latching = new Uint8Array(SIGACTION_SIZE);
    const view = new DataView(latching.buffer);
    view.setBigUint64(0, code, true);
    view.setUint32(136, (SA_RESTART | SA_RESETHAND) >>> 0, true);
    writeAction(signal, latching);
  }
  return {
    get isRaised() {
      return flag.getUint32() !== 0;
    },
    release() {
      for (const { signal, action } of former) writeAction(signal, action);
    },
  };
}

/**
 * Puts instructions into memory of their own; `data` is the address of a zero word that they may
 * write to.
 */
function makeHandler(
  make: (address: bigint) => Uint8Array<ArrayBuffer>,
  argument?: bigint,
): { code: bigint; data: bigint } {
  const { mmap, memcpy, mprotect } = libc();
  const size = BigInt(2 * PAGE_SIZE);
  const memory = mmap(null, size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0n);
  const address = Deno.UnsafePointer.value(memory);
  if (address === 0xffff_ffff_ffff_ffffn) throw new OsError(12, "mmap", "signal handler");
  const data = address + BigInt(PAGE_SIZE);
  const code = make(argument ?? data);
  memcpy(memory, code, BigInt(code.length));
  check(mprotect(memory, BigInt(PAGE_SIZE), PROT_READ_EXEC), "mprotect");
  return { code: address, data };
}

function readAction(signal: number): Uint8Array<ArrayBuffer> {
  const action = new Uint8Array(SIGACTION_SIZE);
  check(libc().sigaction(signal, null, action), "sigaction", signal);
  return action;
}

function handlerOf(action: Uint8Array<ArrayBuffer>): bigint {
  return new DataView(action.buffer).getBigUint64(0, true);
}

function writeAction(signal: number, action: Uint8Array<ArrayBuffer>): void {
  check(libc().sigaction(signal, action, null), "sigaction", signal);
}

function check(result: number, call: string, signal?: number): void {
  if (result !== 0) throw new OsError(1, call, signal === undefined ? "" : `signal ${signal}`);
}

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

let library: Libc | undefined;

function libc(): Libc {
  return library ??= Deno.dlopen("libc.so.6", SYMBOLS).symbols;
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

/** Instructions that write 1 to the 32-bit word at `data` and return. */
export function latchingCode(
  data: bigint,
  arch: string = Deno.build.arch,
): Uint8Array<ArrayBuffer> {
  const code = new Uint8Array(24);
  const view = new DataView(code.buffer);
  if (arch === "aarch64") {
    view.setUint32(0, 0x52800021, true); // movz w1, #1
    view.setUint32(4, 0x58000062, true); // ldr x2, [pc + 12]
    view.setUint32(8, 0xb9000041, true); // str w1, [x2]
    view.setUint32(12, 0xd65f03c0, true); // ret
    view.setBigUint64(16, data, true);
  } else {
    view.setUint16(0, 0xb848, true); // mov rax, data
    view.setBigUint64(2, data, true);
    view.setUint16(10, 0x00c7, true); // mov dword [rax], 1
    view.setUint32(12, 1, true);
    view.setUint8(16, 0xc3); // ret
  }
  return code;
}
