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
  /** Whether it is a further part of a frame, see {@link FrameSplitter}. */
  readonly isRest: boolean;
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
  writePrefix(head, 0, { type, requestId, flags, size: payload.length });
  return payload.length === 0 ? [head] : [head, payload];
}

/** What the prefix of a frame says. */
export interface FrameHead extends Omit<Frame, "payload" | "isRest"> {
  /** Length of the payload. */
  readonly size: number;
}

/** Writes the prefix of a frame. */
export function writePrefix(target: Uint8Array, offset: number, head: FrameHead): void {
  writeU32(target, offset, head.size);
  writeU32(target, offset + 4, head.requestId);
  target[offset + 8] = head.type;
  target[offset + 9] = head.flags;
}

function writeU32(target: Uint8Array, offset: number, value: number): void {
  for (let index = 0; index < 4; index++) target[offset + index] = value >>> 8 * index;
}

/** Makes frames of bytes that come in any parts. */
export class FrameSplitter {
  readonly #payloadSizeMax: number;
  readonly #typeInParts: number | undefined;
  readonly #prefix = new Uint8Array(FRAME_PREFIX_SIZE);
  #prefixSize = 0;
  /** The frame that is not whole yet. */
  #head: FrameHead | undefined;
  /** Its payload; undefined where that is handed on in parts. */
  #payload: Uint8Array<ArrayBuffer> | undefined;
  /** Bytes of it that have come. */
  #size = 0;

  /**
   * @param payloadSizeMax of a longer payload nothing is taken
   * @param typeInParts frames of this type without flags come in the parts in which their bytes
   *   come, which spares copying them; each is a {@link Frame}
   */
  constructor(payloadSizeMax = PAYLOAD_SIZE_MAX, typeInParts?: number) {
    this.#payloadSizeMax = payloadSizeMax;
    this.#typeInParts = typeInParts;
  }

  /** Whether a frame has begun and is not whole. */
  get isInside(): boolean {
    return this.#prefixSize > 0 || this.#head !== undefined;
  }

  /**
   * Takes the next bytes. Payloads may lie in them.
   *
   * @throws {LimitError} when a frame says that it is longer than allowed
   */
  *push(bytes: Uint8Array<ArrayBuffer>): Generator<Frame> {
    for (let at = 0; at < bytes.length;) {
      if (this.#head === undefined) {
        at += this.#takePrefix(bytes, at);
        if (this.#prefixSize < FRAME_PREFIX_SIZE) return;
        this.#begin(bytes.length - at);
      }
      const head = this.#head!;
      const part = bytes.subarray(at, at + head.size - this.#size);
      at += part.length;
      const payload = this.#payload;
      payload?.set(part, this.#size);
      const isRest = this.#size > 0;
      this.#size += part.length;
      const isWhole = this.#size === head.size;
      if (isWhole) this.#head = this.#payload = undefined;
      const { requestId, type, flags } = head;
      if (payload === undefined) {
        if (part.length > 0 || isWhole) yield { requestId, type, flags, payload: part, isRest };
      } else if (isWhole) {
        yield { requestId, type, flags, payload, isRest: false };
      }
    }
  }

  /** @returns how many bytes of a prefix were taken */
  #takePrefix(bytes: Uint8Array<ArrayBuffer>, at: number): number {
    const part = bytes.subarray(at, at + FRAME_PREFIX_SIZE - this.#prefixSize);
    this.#prefix.set(part, this.#prefixSize);
    this.#prefixSize += part.length;
    return part.length;
  }

  /** A prefix is there. @param available bytes behind it */
  #begin(available: number): void {
    const view = new DataView(this.#prefix.buffer);
    const size = view.getUint32(0, true);
    if (size > this.#payloadSizeMax) {
      throw new LimitError(
        `A frame of ${size} bytes is longer than the ${this.#payloadSizeMax} allowed`,
      );
    }
    const [type, flags] = this.#prefix.subarray(8) as unknown as [number, number];
    this.#head = { requestId: view.getUint32(4, true), type, flags, size };
    this.#prefixSize = 0;
    this.#size = 0;
    const isInParts = type === this.#typeInParts && flags === 0;
    this.#payload = isInParts || available >= size ? undefined : new Uint8Array(size);
  }
}

/** A frame that has no business to be there. */
export function unexpectedFrame({ type, requestId }: Frame): FormatError {
  return new FormatError(`A frame of type ${type} for request ${requestId} is not expected`);
}
