/**
 * INIT, the first request on a mount: which abilities kernel and program agree on.
 *
 * The answer is written by this program, not by libfuse: so every ability of the kernel is at hand
 * with every libfuse version (3.14 forgets PARALLEL_DIROPS in its answer and does not know
 * PASSTHROUGH). libfuse then gets a copy of the request, so that its sessions accept requests; what
 * it answers to that copy carries an id that the kernel does not know and is dropped.
 *
 * @module
 */

import {
  InHeader,
  InitFlag,
  type InitFlagName,
  InitIn,
  InitOut,
  Opcode,
  OutHeader,
} from "./kernel.ts";

/** Largest READ and WRITE, in bytes. */
export const TRANSFER_SIZE_MAX = 1 << 20;

/** {@link TRANSFER_SIZE_MAX} in pages of 4 KiB. */
const MAX_PAGES = 256;

/** Protocol version of the layouts in `kernel.ts`; an older kernel's minor is taken over. */
const MAJOR = 7;
const MINOR = 45;

/**
 * Oldest protocol that has all the answers used (Linux 5.4). `flags2` came later, with INIT_EXT.
 */
const MINOR_MIN = 31;

/** Bytes of an INIT request's body without `flags2`. */
const INIT_IN_SIZE_MIN = 16;

/** Requests in flight that readahead and asynchronous direct I/O may use. */
const MAX_BACKGROUND = 64;
const CONGESTION_THRESHOLD = 48;

/** An id the kernel never uses: its own are even and count up from 2. */
const UNKNOWN_UNIQUE = 0xffff_ffff_ffff_fff0n;

/**
 * Abilities that are taken when the kernel offers them. Left out on purpose:
 * - AUTO_INVAL_DATA drops all cached pages of a file after each write of our own;
 * - POSIX_LOCKS and FLOCK_LOCKS: without them the kernel keeps the locks itself, which is right on
 *   one host;
 * - SPLICE_*: slows small reads, and requests would lie in pipes;
 * - DONT_MASK: the kernel applies the umask, unless default ACLs decide (see ACL_WANTED);
 * - WRITEBACK_CACHE: loses acknowledged writes when the program is killed, and excludes
 *   PASSTHROUGH.
 *
 * HANDLE_KILLPRIV_V2 saves a GETXATTR (security.capability) before every WRITE.
 */
const WANTED: readonly InitFlagName[] = [
  "ASYNC_READ",
  "ATOMIC_O_TRUNC",
  "BIG_WRITES",
  "DO_READDIRPLUS",
  "READDIRPLUS_AUTO",
  "ASYNC_DIO",
  "PARALLEL_DIROPS",
  "MAX_PAGES",
  "CACHE_SYMLINKS",
  "HANDLE_KILLPRIV_V2",
  "INIT_EXT",
];

/**
 * What a mount takes beside, all or nothing, where the kernel is to check access by POSIX ACLs. The
 * umask then comes with requests, since it does not count below a default ACL.
 */
const ACL_WANTED: readonly InitFlagName[] = ["POSIX_ACL", "DONT_MASK"];

/** What is asked of the kernel beside what every mount wants. */
export interface InitWish {
  /** Floors that backing files may stand on, 1 or 2; 0 for no passthrough. */
  readonly stackDepth: number;
  /** The kernel checks access by POSIX ACLs. */
  readonly posixAcls: boolean;
}

/** What was agreed on. */
export interface Negotiation {
  readonly minor: number;
  readonly flags: number;
  readonly flags2: number;
  /** As wished, or 0 where the kernel has no PASSTHROUGH. */
  readonly stackDepth: number;
  /** As wished, or false where the kernel cannot. */
  readonly posixAcls: boolean;
  /** Answer to write to the device. */
  readonly answer: Uint8Array<ArrayBuffer>;
  /**
   * Request for libfuse sessions: offers exactly what was agreed on, under an id the kernel does
   * not know.
   */
  readonly replay: Uint8Array<ArrayBuffer>;
}

/**
 * Answers an INIT request.
 *
 * @throws {SyntaxError} when the bytes are no INIT request of a usable protocol version
 */
export function negotiateInit(
  request: Uint8Array<ArrayBuffer>,
  wish: InitWish,
): Negotiation {
  const view = new DataView(request.buffer, request.byteOffset, request.byteLength);
  checkRequest(view);
  const body = InHeader.SIZE;
  const minor = Math.min(view.getUint32(body + InitIn.MINOR, true), MINOR);
  const offered = view.getUint32(body + InitIn.FLAGS, true);
  const offered2 = hasFlags2(view) ? view.getUint32(body + InitIn.FLAGS2, true) : 0;
  let flags = 0;
  for (const name of WANTED) flags |= 1 << InitFlag[name];
  const aclFlags = ACL_WANTED.reduce((sum, name) => sum | 1 << InitFlag[name], 0);
  const posixAcls = wish.posixAcls && (offered & aclFlags) === aclFlags;
  // The longer SETXATTR tells when an ACL takes the set-group-id bit away (Linux 5.13).
  if (posixAcls) flags |= aclFlags | 1 << InitFlag.SETXATTR_EXT;
  flags = (flags & offered) >>> 0;
  const flags2 = wish.stackDepth > 0 ? (1 << (InitFlag.PASSTHROUGH - 32) & offered2) >>> 0 : 0;
  const stackDepth = flags2 === 0 ? 0 : wish.stackDepth;
  return {
    minor,
    flags,
    flags2,
    stackDepth,
    posixAcls,
    answer: makeAnswer(view, minor, flags, flags2, stackDepth),
    replay: makeReplay(request, flags, flags2),
  };
}

/** Whether the request has the second flag word. */
function hasFlags2(view: DataView): boolean {
  const flags = view.getUint32(InHeader.SIZE + InitIn.FLAGS, true);
  return (flags >>> InitFlag.INIT_EXT & 1) === 1 &&
    view.byteLength >= InHeader.SIZE + InitIn.SIZE;
}

function checkRequest(view: DataView): void {
  const needed = InHeader.SIZE + INIT_IN_SIZE_MIN;
  if (view.byteLength < needed) {
    throw new SyntaxError(
      `Cannot read INIT request: need ${needed} bytes, got ${view.byteLength}`,
    );
  }
  const opcode = view.getUint32(InHeader.OPCODE, true);
  if (opcode !== Opcode.INIT) throw new SyntaxError(`Cannot read INIT request: opcode ${opcode}`);
  const major = view.getUint32(InHeader.SIZE + InitIn.MAJOR, true);
  const minor = view.getUint32(InHeader.SIZE + InitIn.MINOR, true);
  if (major !== MAJOR || minor < MINOR_MIN) {
    throw new SyntaxError(
      `Cannot use FUSE protocol ${major}.${minor}: need ${MAJOR}.${MINOR_MIN} or later (Linux 5.4)`,
    );
  }
}

function makeAnswer(
  request: DataView,
  minor: number,
  flags: number,
  flags2: number,
  stackDepth: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(OutHeader.SIZE + InitOut.SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(OutHeader.LEN, bytes.length, true);
  view.setBigUint64(OutHeader.UNIQUE, request.getBigUint64(InHeader.UNIQUE, true), true);
  const body = OutHeader.SIZE;
  view.setUint32(body + InitOut.MAJOR, MAJOR, true);
  view.setUint32(body + InitOut.MINOR, minor, true);
  const readahead = request.getUint32(InHeader.SIZE + InitIn.MAX_READAHEAD, true);
  view.setUint32(body + InitOut.MAX_READAHEAD, readahead, true);
  view.setUint32(body + InitOut.FLAGS, flags, true);
  view.setUint16(body + InitOut.MAX_BACKGROUND, MAX_BACKGROUND, true);
  view.setUint16(body + InitOut.CONGESTION_THRESHOLD, CONGESTION_THRESHOLD, true);
  view.setUint32(body + InitOut.MAX_WRITE, TRANSFER_SIZE_MAX, true);
  view.setUint32(body + InitOut.TIME_GRANULARITY, 1, true);
  view.setUint16(body + InitOut.MAX_PAGES, MAX_PAGES, true);
  view.setUint32(body + InitOut.FLAGS2, flags2, true);
  view.setUint32(body + InitOut.MAX_STACK_DEPTH, stackDepth, true);
  return bytes;
}

function makeReplay(
  request: Uint8Array<ArrayBuffer>,
  flags: number,
  flags2: number,
): Uint8Array<ArrayBuffer> {
  const bytes = request.slice();
  const view = new DataView(bytes.buffer);
  view.setBigUint64(InHeader.UNIQUE, UNKNOWN_UNIQUE, true);
  if (hasFlags2(view)) view.setUint32(InHeader.SIZE + InitIn.FLAGS2, flags2, true);
  view.setUint32(InHeader.SIZE + InitIn.FLAGS, flags, true);
  return bytes;
}
