/**
 * A libfuse session: the object that turns requests into calls of the operations table.
 *
 * @module
 */

import { Errno, OsError } from "../os_error.ts";
import { mountFailure } from "./mount_failure.ts";
import { nativeBufferOf } from "../libc/files.ts";
import type { Libfuse3 } from "./load.ts";
import type { OperationsTable } from "./operations_table.ts";
import { FUSE_ARGS, FUSE_BUF, LIBFUSE_VERSION } from "./structs.ts";

/** Requests as libfuse takes them: bytes at a fixed address. */
export interface RequestMemory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly address: bigint;
}

/**
 * Everything C holds a pointer to. libfuse keeps the options and the operations table until a
 * session is destroyed, and a collected callback is a crash; the few kilobytes of a session stay
 * until the process ends.
 */
const heldByC: unknown[] = [];

/**
 * A session on one /dev/fuse descriptor. Every method must be called on the thread that made the
 * operations table.
 */
export class FuseSession {
  readonly #library: Libfuse3;
  readonly #session: Deno.PointerObject;
  readonly #buffer = new Uint8Array(FUSE_BUF.size);
  readonly #bufferView = new DataView(this.#buffer.buffer);
  #destroyed = false;

  /**
   * Makes a session that is not mounted yet.
   *
   * @param mountOptions options of `-o`, with commas between; see {@link formatMountOptions}
   * @throws {OsError} when libfuse refuses the options (it says why on stderr)
   */
  constructor(library: Libfuse3, mountOptions: string, operations: OperationsTable) {
    this.#library = library;
    const session = newSession(library, mountOptions, operations);
    if (session === null) throw new OsError(Errno.EINVAL, "create FUSE session", mountOptions);
    this.#session = session;
    heldByC.push(operations);
  }

  /**
   * Mounts, or takes over the open device when `path` is `/dev/fd/N`.
   *
   * @throws {OsError} when the mount fails, with what can be found out of the reason
   */
  mount(path: string): void {
    const pathBytes = cString(path);
    heldByC.push(pathBytes);
    if (this.#library.symbols.fuse_session_mount(this.#session, pathBytes) !== 0) {
      throw mountFailure(path);
    }
  }

  /** The session's descriptor of the device. */
  get fd(): number {
    return this.#library.symbols.fuse_session_fd(this.#session);
  }

  /**
   * Has libfuse handle the request in the first `size` bytes of `memory`: it calls an operation and
   * answers.
   */
  process(memory: RequestMemory, size: number): void {
    const { fields } = FUSE_BUF;
    this.#bufferView.setBigUint64(fields.size.offset, BigInt(size), true);
    this.#bufferView.setBigUint64(fields.mem.offset, memory.address, true);
    this.#bufferView.setInt32(fields.fd.offset, -1, true);
    this.#bufferView.setBigUint64(fields.mem_size.offset, BigInt(memory.bytes.length), true);
    this.#library.symbols.fuse_session_process_buf(this.#session, this.#buffer);
  }

  /**
   * Takes the mount out of the name space and closes this session's descriptor. Open files go on
   * working through other descriptors. Only for the session that mounted.
   */
  unmount(): void {
    this.#library.symbols.fuse_session_unmount(this.#session);
  }

  /** Frees the session and closes its descriptor. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#library.symbols.fuse_session_destroy(this.#session);
  }
}

function newSession(
  library: Libfuse3,
  mountOptions: string,
  operations: OperationsTable,
): Deno.PointerValue {
  const args = makeArguments(["pbkfs", `-o${mountOptions}`]);
  const { fuse_session_new_versioned, fuse_session_new } = library.symbols;
  const size = BigInt(operations.bytes.length);
  if (fuse_session_new_versioned !== null) {
    const version = new Uint8Array(LIBFUSE_VERSION.size);
    const view = new DataView(version.buffer);
    view.setUint32(LIBFUSE_VERSION.fields.major.offset, library.version.major, true);
    view.setUint32(LIBFUSE_VERSION.fields.minor.offset, library.version.minor, true);
    view.setUint32(LIBFUSE_VERSION.fields.hotfix.offset, library.version.hotfix, true);
    heldByC.push(version);
    return fuse_session_new_versioned(args, operations.bytes, size, version, null);
  }
  if (fuse_session_new === null) {
    throw new OsError(Errno.ENOSYS, "find fuse_session_new", library.path);
  }
  return fuse_session_new(args, operations.bytes, size, null);
}

/** A `struct fuse_args` over an `argv`. */
function makeArguments(values: readonly string[]): Uint8Array<ArrayBuffer> {
  const strings = values.map((value) => nativeBufferOf(cString(value)));
  const argv = nativeBufferOf(
    new Uint8Array(
      new BigUint64Array([...strings.map((string) => string.address), 0n]).buffer,
    ),
  );
  const args = new Uint8Array(FUSE_ARGS.size);
  const view = new DataView(args.buffer);
  view.setInt32(FUSE_ARGS.fields.argc.offset, values.length, true);
  view.setBigUint64(FUSE_ARGS.fields.argv.offset, argv.address, true);
  heldByC.push(strings, argv, args);
  return args;
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}
