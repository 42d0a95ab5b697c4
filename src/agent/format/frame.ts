/**
 * Frames, the units of everything that a client and who backs it up say to each other:
 *
 *     0  u32  length of the payload
 *     4  u32  number of the request; 0: of the connection
 *     8  u8   type ({@link FrameKind})
 *     9  u8   flags
 *    10  …    payload
 *
 * All numbers are little-endian. Pure: bytes in, values out.
 *
 * @module
 */

import { FormatError, LimitError } from "#src/errors.ts";

/** What a frame is about. Whoever asks sends the first group, who is asked the second. */
export const FrameKind = {
  /** Either way, the first one: versions, features (`hello.ts`). */
  HELLO: 1,
  /** Metadata of one entry. */
  STAT: 2,
  /** A directory with all metadata. */
  LIST: 3,
  /** A file's content. */
  READ: 4,
  /** A command is run. */
  RUN: 5,
  /** More of an answer is taken: u32 units of cost, see {@link frameCost}. */
  CREDIT: 6,
  /** Nothing more of the answer is wanted. */
  CANCEL: 7,

  /** An entry (`entry_record.ts`). */
  ENTRY: 16,
  /** A part of a directory. */
  PAGE: 17,
  /** Bytes of a file, or of what a command has printed. */
  DATA: 18,
  /** u64 bytes of a file that are zeros. */
  HOLE: 19,
  /** The end of an answer. */
  END: 20,
  /** The end of an answer that failed: errno, code, message. */
  ERROR: 21,
  /** The end of a command: u32 exit code. */
  EXIT: 22,
  /** Of the connection: there is life, but nothing to say yet. */
  ALIVE: 23,
} as const;

/** Flag of {@link FrameKind.DATA}: the payload is u32 size of the bytes, and a zstd frame. */
export const FLAG_ZSTD = 1;

/** Bytes before the payload. */
export const FRAME_PREFIX_SIZE = 10;
/** Bytes of a payload. */
export const PAYLOAD_SIZE_MAX = 4 << 20;

/** One frame. */
export interface Frame {
  readonly requestId: number;
  readonly type: number;
  readonly flags: number;
  readonly payload: Uint8Array<ArrayBuffer>;
}

/** What a frame without a payload costs: it takes memory too. */
const COST_BASE = 64;

/**
 * What a part of an answer costs of the credit that was given for it.
 *
 * @param sizeBytes of the bytes, after they were unpacked
 */
export function frameCost(sizeBytes: number): number {
  return COST_BASE + sizeBytes;
}

const NO_BYTES = new Uint8Array();

/** A frame as it travels: head and payload, not joined. */
export function encodeFrame(
  type: number,
  requestId: number,
  payload: Uint8Array<ArrayBuffer> = NO_BYTES,
  flags = 0,
): Uint8Array<ArrayBuffer>[] {
  const head = new Uint8Array(FRAME_PREFIX_SIZE);
  const view = new DataView(head.buffer);
  view.setUint32(0, payload.length, true);
  view.setUint32(4, requestId, true);
  head[8] = type;
  head[9] = flags;
  return payload.length === 0 ? [head] : [head, payload];
}

/** Makes frames of bytes that come in any parts. */
export class FrameSplitter {
  readonly #payloadSizeMax: number;
  /** Bytes of the frame that is not whole yet. */
  #pending: Uint8Array<ArrayBuffer> = NO_BYTES;
  #pendingSize = 0;

  /** @param payloadSizeMax of a longer payload nothing is taken */
  constructor(payloadSizeMax = PAYLOAD_SIZE_MAX) {
    this.#payloadSizeMax = payloadSizeMax;
  }

  /** Whether a frame has begun and is not whole. */
  get isInside(): boolean {
    return this.#pendingSize > 0;
  }

  /**
   * Takes the next bytes. Payloads may lie in them.
   *
   * @throws {LimitError} when a frame says that it is longer than allowed
   */
  *push(bytes: Uint8Array<ArrayBuffer>): Generator<Frame> {
    let rest = bytes;
    while (true) {
      if (this.#pendingSize > 0) {
        rest = this.#complete(rest);
        const size = this.#frameSize(this.#pending, this.#pendingSize);
        if (size === undefined || this.#pendingSize < size) return;
        const whole = this.#pending.subarray(0, size);
        this.#pending = NO_BYTES;
        this.#pendingSize = 0;
        yield frameOf(whole);
        continue;
      }
      const size = this.#frameSize(rest, rest.length);
      if (size === undefined || rest.length < size) {
        this.#keep(rest, size ?? FRAME_PREFIX_SIZE);
        return;
      }
      yield frameOf(rest.subarray(0, size));
      rest = rest.subarray(size);
    }
  }

  /** Length of the frame that begins with these bytes, where they say it. */
  #frameSize(bytes: Uint8Array<ArrayBuffer>, length: number): number | undefined {
    if (length < FRAME_PREFIX_SIZE) return undefined;
    const payloadSize = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    if (payloadSize > this.#payloadSizeMax) {
      throw new LimitError(
        `A frame of ${payloadSize} bytes is longer than the ${this.#payloadSizeMax} allowed`,
      );
    }
    return FRAME_PREFIX_SIZE + payloadSize;
  }

  #keep(bytes: Uint8Array<ArrayBuffer>, size: number): void {
    if (bytes.length === 0) return;
    this.#pending = new Uint8Array(size);
    this.#pending.set(bytes);
    this.#pendingSize = bytes.length;
  }

  /** Appends as much as the frame lacks. @returns what is left */
  #complete(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const taken = this.#append(bytes, FRAME_PREFIX_SIZE);
    const size = this.#frameSize(this.#pending, this.#pendingSize);
    if (size === undefined) return bytes.subarray(taken);
    if (this.#pending.length < size) {
      const larger = new Uint8Array(size);
      larger.set(this.#pending.subarray(0, this.#pendingSize));
      this.#pending = larger;
    }
    return bytes.subarray(taken + this.#append(bytes.subarray(taken), size));
  }

  /** Appends up to `size` bytes of the frame. @returns how many */
  #append(bytes: Uint8Array<ArrayBuffer>, size: number): number {
    const count = Math.max(Math.min(size - this.#pendingSize, bytes.length), 0);
    this.#pending.set(bytes.subarray(0, count), this.#pendingSize);
    this.#pendingSize += count;
    return count;
  }
}

function frameOf(bytes: Uint8Array<ArrayBuffer>): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    requestId: view.getUint32(4, true),
    type: bytes[8]!,
    flags: bytes[9]!,
    payload: bytes.subarray(FRAME_PREFIX_SIZE),
  };
}

/** A frame that has no business to be there. */
export function unexpectedFrame({ type, requestId }: Frame): FormatError {
  return new FormatError(`A frame of type ${type} for request ${requestId} is not expected`);
}
