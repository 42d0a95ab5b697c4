/**
 * Frames of HTTP/2 out of a stream of bytes (RFC 9113, sections 4 and 6). Pure: bytes go in as they
 * come, events come out. The payload of DATA is passed on in pieces as it arrives, without a copy;
 * everything else is small, or skipped, or refused.
 *
 * @module
 */

import { concatenate } from "#src/bytes/concatenate.ts";
import { violation } from "./error_code.ts";
import { CLIENT_PREFACE, FRAME_HEAD_SIZE, FrameFlag, FrameType, getUint32 } from "./frame.ts";
import { FRAME_SIZE_MIN, SETTING_SIZE } from "./settings.ts";

/** Who takes the frames. What it throws ends the decoding. */
export interface FrameSink {
  /** A DATA frame begins. @param flowSize bytes that count for flow control, padding included */
  onDataStart(streamId: number, flowSize: number): void;
  /** Bytes of that frame; not called for an empty one. */
  onData(streamId: number, piece: Uint8Array<ArrayBuffer>): void;
  /** That frame is whole. */
  onDataEnd(streamId: number, endsStream: boolean): void;
  /** HEADERS with all its CONTINUATION frames. */
  onHeaderBlock(streamId: number, block: Uint8Array, endsStream: boolean): void;
  /** RST_STREAM. */
  onReset(streamId: number, code: number): void;
  /** SETTINGS; undefined acknowledges ours. */
  onSettings(payload: Uint8Array | undefined): void;
  /** PING, of 8 bytes. */
  onPing(opaque: Uint8Array, isAnswer: boolean): void;
  /** GOAWAY. */
  onGoAway(lastStreamId: number, code: number, debug: Uint8Array): void;
  /** WINDOW_UPDATE, of 0 too. */
  onWindowUpdate(streamId: number, incrementBytes: number): void;
  /** PRIORITY and unknown types: nothing is done with them. */
  onIgnored(streamId: number): void;
}

/** What a decoder takes. */
export interface FrameLimits {
  /** Largest payload of a frame, as announced, in bytes. */
  readonly frameSizeMax: number;
  /** Largest header block, in bytes as they travel. */
  readonly headerBlockSizeMax: number;
}

/** CONTINUATION frames of one header block. */
const CONTINUATION_COUNT_MAX = 64;

/** What the head of the frame in work says. */
interface Head {
  readonly size: number;
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
}

interface HeaderBlock {
  readonly streamId: number;
  readonly endsStream: boolean;
  readonly parts: Uint8Array[];
  size: number;
}

/** Sizes of payloads that have only one. */
const FIXED_SIZES: Readonly<Record<number, number>> = {
  [FrameType.PRIORITY]: 5,
  [FrameType.RST_STREAM]: 4,
  [FrameType.PING]: 8,
  [FrameType.WINDOW_UPDATE]: 4,
};

const KNOWN_TYPE_MAX = FrameType.CONTINUATION;

/** The receiving end of a connection. */
export class FrameDecoder {
  readonly #sink: FrameSink;
  readonly #limits: FrameLimits;
  /** Bytes of the preface that are still to come. */
  #preface: Uint8Array;
  readonly #headBytes = new Uint8Array(FRAME_HEAD_SIZE);
  #headSize = 0;
  #isFirst = true;
  /** The frame in work: its head, and how much of its payload is still to come. */
  #head: Head | undefined;
  #restSize = 0;
  /** Bytes of padding at the end of DATA; undefined until its length was read. */
  #paddingSize: number | undefined = 0;
  /** Payload of a frame that is needed as a whole; undefined for DATA and what is skipped. */
  #payload: Uint8Array | undefined;
  #block: HeaderBlock | undefined;
  #frameCount = 0;

  /** @param expectsPreface at the server */
  constructor(sink: FrameSink, limits: FrameLimits, expectsPreface: boolean) {
    this.#sink = sink;
    this.#limits = limits;
    this.#preface = expectsPreface ? CLIENT_PREFACE : new Uint8Array();
  }

  /** Frames that came whole, those of a header block counted as one. */
  get frameCount(): number {
    return this.#frameCount;
  }

  /** Whether a frame or header block has begun and is not whole. */
  get isWithinFrame(): boolean {
    return this.#headSize > 0 || this.#head !== undefined || this.#block !== undefined;
  }

  /** The same of DATA, which a stream's own time-out is for. */
  get isWithinData(): boolean {
    return this.#head?.type === FrameType.DATA;
  }

  /** Whether the first frame of the peer has come, its SETTINGS. */
  get hasBegun(): boolean {
    return !this.#isFirst;
  }

  /**
   * Takes bytes in; the sink may keep parts of them.
   *
   * @throws {ProtocolError} with the code for GOAWAY; nothing may be pushed after that
   */
  push(bytes: Uint8Array<ArrayBuffer>): void {
    let at = this.#preface.length > 0 ? this.#matchPreface(bytes) : 0;
    while (at < bytes.length) {
      if (this.#head !== undefined) {
        at = this.#takePayload(bytes, at);
        continue;
      }
      const part = bytes.subarray(at, at + FRAME_HEAD_SIZE - this.#headSize);
      this.#headBytes.set(part, this.#headSize);
      this.#headSize += part.length;
      at += part.length;
      if (this.#headSize === FRAME_HEAD_SIZE) this.#begin(readHead(this.#headBytes));
    }
  }

  #matchPreface(bytes: Uint8Array): number {
    const size = Math.min(bytes.length, this.#preface.length);
    for (let at = 0; at < size; at++) {
      if (bytes[at] !== this.#preface[at]) {
        throw violation("PROTOCOL_ERROR", "the client does not begin with the preface of HTTP/2");
      }
    }
    this.#preface = this.#preface.subarray(size);
    return size;
  }

  #begin(head: Head): void {
    this.#check(head);
    this.#headSize = 0;
    this.#isFirst = false;
    this.#head = head;
    this.#restSize = head.size;
    this.#payload = undefined;
    if (head.type === FrameType.DATA) {
      this.#paddingSize = isSet(head, FrameFlag.PADDED) ? undefined : 0;
      this.#sink.onDataStart(head.streamId, head.size);
    } else if (head.type <= KNOWN_TYPE_MAX && head.type !== FrameType.PRIORITY) {
      this.#payload = new Uint8Array(head.size);
    }
    if (this.#restSize === 0) this.#end(head);
  }

  #check(head: Head): void {
    const { size, type, streamId } = head;
    if (size > this.#limits.frameSizeMax) {
      throw violation(
        "FRAME_SIZE_ERROR",
        `a frame of ${size} bytes exceeds the limit of ${this.#limits.frameSizeMax}`,
      );
    }
    if (this.#isFirst && (type !== FrameType.SETTINGS || isSet(head, FrameFlag.ACK))) {
      throw violation("PROTOCOL_ERROR", "the peer does not begin with its settings");
    }
    const continued = this.#block?.streamId;
    if (
      continued === undefined
        ? type === FrameType.CONTINUATION
        : type !== FrameType.CONTINUATION || streamId !== continued
    ) {
      throw violation("PROTOCOL_ERROR", "a header block is not continued, or none was begun");
    }
    this.#checkStream(type, streamId);
    this.#checkSize(head);
  }

  #checkStream(type: number, streamId: number): void {
    if (type > KNOWN_TYPE_MAX || type === FrameType.WINDOW_UPDATE) return;
    const isOfConnection = type === FrameType.SETTINGS || type === FrameType.PING ||
      type === FrameType.GOAWAY;
    if (isOfConnection !== (streamId === 0)) {
      throw violation("PROTOCOL_ERROR", `a frame of type ${type} came on stream ${streamId}`);
    }
  }

  #checkSize(head: Head): void {
    const { size, type } = head;
    const isWrong = type === FrameType.SETTINGS
      ? size % SETTING_SIZE !== 0 || isSet(head, FrameFlag.ACK) && size > 0
      : type === FrameType.GOAWAY
      ? size < 8
      : size !== (FIXED_SIZES[type] ?? size);
    if (isWrong) {
      throw violation("FRAME_SIZE_ERROR", `a frame of type ${type} has ${size} bytes`);
    }
    const isHeaders = type === FrameType.HEADERS || type === FrameType.CONTINUATION;
    const blockSize = (this.#block?.size ?? 0) + size;
    const count = this.#block?.parts.length ?? 0;
    if (
      isHeaders
        ? blockSize > this.#limits.headerBlockSizeMax || count > CONTINUATION_COUNT_MAX
        : type !== FrameType.DATA && type <= KNOWN_TYPE_MAX && size > FRAME_SIZE_MIN
    ) {
      throw violation("ENHANCE_YOUR_CALM", `frames of type ${type} are too large or too many`);
    }
  }

  #takePayload(bytes: Uint8Array<ArrayBuffer>, at: number): number {
    const head = this.#head!;
    const part = bytes.subarray(at, at + this.#restSize);
    if (this.#payload !== undefined) this.#payload.set(part, head.size - this.#restSize);
    else if (head.type === FrameType.DATA) this.#takeData(head, part);
    this.#restSize -= part.length;
    if (this.#restSize === 0) this.#end(head);
    return at + part.length;
  }

  #takeData(head: Head, part: Uint8Array<ArrayBuffer>): void {
    let piece = part;
    let restSize = this.#restSize;
    if (this.#paddingSize === undefined) {
      this.#paddingSize = part[0]!;
      if (this.#paddingSize >= head.size) throw tooMuchPadding();
      piece = part.subarray(1);
      restSize--;
    }
    const dataSize = Math.max(0, restSize - this.#paddingSize);
    if (piece.length > dataSize) piece = piece.subarray(0, dataSize);
    if (piece.length > 0) this.#sink.onData(head.streamId, piece);
  }

  #end(head: Head): void {
    this.#head = undefined;
    const { type, streamId } = head;
    const payload = this.#payload;
    if (type === FrameType.DATA) {
      if (this.#paddingSize === undefined) throw tooMuchPadding();
      this.#sink.onDataEnd(streamId, isSet(head, FrameFlag.END_STREAM));
    } else if (payload === undefined) {
      this.#sink.onIgnored(streamId);
    } else if (type === FrameType.HEADERS) {
      this.#addToBlock(head, {
        streamId,
        endsStream: isSet(head, FrameFlag.END_STREAM),
        parts: [],
        size: 0,
      }, fragmentOf(head, payload));
    } else if (type === FrameType.CONTINUATION) {
      this.#addToBlock(head, this.#block!, payload);
    } else {
      this.#emit(head, payload);
    }
    if (this.#block === undefined) this.#frameCount++;
  }

  #addToBlock(head: Head, block: HeaderBlock, fragment: Uint8Array): void {
    block.parts.push(fragment);
    block.size += fragment.length;
    this.#block = isSet(head, FrameFlag.END_HEADERS) ? undefined : block;
    if (this.#block !== undefined) return;
    this.#sink.onHeaderBlock(block.streamId, concatenate(block.parts), block.endsStream);
  }

  #emit({ type, flags, streamId }: Head, payload: Uint8Array): void {
    const isAck = (flags & FrameFlag.ACK) !== 0;
    switch (type) {
      case FrameType.RST_STREAM:
        return this.#sink.onReset(streamId, getUint32(payload, 0));
      case FrameType.SETTINGS:
        return this.#sink.onSettings(isAck ? undefined : payload);
      case FrameType.PING:
        return this.#sink.onPing(payload, isAck);
      case FrameType.GOAWAY:
        return this.#sink.onGoAway(
          getUint32(payload, 0) & 0x7fff_ffff,
          getUint32(payload, 4),
          payload.subarray(8),
        );
      case FrameType.WINDOW_UPDATE:
        return this.#sink.onWindowUpdate(streamId, getUint32(payload, 0) & 0x7fff_ffff);
      default:
        throw violation("PROTOCOL_ERROR", "the peer pushes, which nobody allowed");
    }
  }
}

function readHead(bytes: Uint8Array): Head {
  return {
    size: bytes[0]! << 16 | bytes[1]! << 8 | bytes[2]!,
    type: bytes[3]!,
    flags: bytes[4]!,
    streamId: getUint32(bytes, 5) & 0x7fff_ffff,
  };
}

function isSet({ flags }: Head, flag: number): boolean {
  return (flags & flag) !== 0;
}

/** HEADERS without padding and priority. */
function fragmentOf(head: Head, payload: Uint8Array): Uint8Array {
  const isPadded = isSet(head, FrameFlag.PADDED);
  const start = (isPadded ? 1 : 0) + (isSet(head, FrameFlag.PRIORITY) ? 5 : 0);
  const end = payload.length - (isPadded ? payload[0] ?? 0 : 0);
  if (end < start) throw tooMuchPadding();
  return payload.subarray(start, end);
}

function tooMuchPadding(): Error {
  return violation("PROTOCOL_ERROR", "a frame has more padding than payload");
}
