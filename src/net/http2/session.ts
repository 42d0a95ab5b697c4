/**
 * A connection of HTTP/2, as far as client and server are alike (RFC 9113): settings, windows, what
 * keeps it alive, and how it ends.
 *
 * @module
 */

import { ProtocolError } from "#src/errors.ts";
import { freeMemory } from "#src/bytes/freed_memory.ts";
import { type Connection, CONNECTION_LOST } from "../connection.ts";
import { Allowance } from "./allowance.ts";
import {
  codeOf,
  ErrorCode,
  type ErrorName,
  goneAway,
  resetByPeer,
  violation,
} from "./error_code.ts";
import {
  CLIENT_PREFACE,
  goAwayFrame,
  pingFrame,
  resetFrame,
  settingsFrame,
  windowUpdateFrame,
} from "./frame.ts";
import { FrameDecoder, type FrameSink } from "./frame_decoder.ts";
import { type HeaderList, HpackDecoder } from "./hpack_decoder.ts";
import { latin1Text } from "./huffman.ts";
import { Outbox } from "./outbox.ts";
import { DEFAULT_SETTINGS, type Settings, updatedSettings, WINDOW_LIMIT } from "./settings.ts";
import type { Http2Stream, StreamLink } from "./stream.ts";

/** What an end allows the other one. Everything has a default. */
export interface SessionLimits {
  /** Bytes that the peer may send on one stream before they are read; 65,535 at least. */
  readonly streamWindowSize: number;
  /** The same on all streams together: what the connection takes of memory at most, about. */
  readonly connectionWindowSize: number;
  /** Largest payload of a frame. */
  readonly frameSizeMax: number;
  /** Header fields of a request or answer, in bytes. */
  readonly headerListSizeMax: number;
  /** For the peer's first frame, and for the rest of one that has begun. */
  readonly headTimeoutMs: number;
  /** The peer is asked whether it lives when nothing has come for so long. */
  readonly keepAliveMs: number;
  /** It has so long to answer. */
  readonly keepAliveTimeoutMs: number;
}

/** Streams that were reset, of which frames may still come. */
const RESET_COUNT_MAX = 1000;
/** Frames that do nothing, at once and a second; others earn them. */
const NUISANCE_COUNT = 2000;
const NUISANCE_PER_SECOND = 200;
/** Streams that end before their time, the same. */
const RESETS_AT_ONCE = 300;
const RESETS_PER_SECOND = 20;
/** After our last frame, the peer may read it and end the connection. */
const LINGER_MS = 1000;

/** One end. Subclasses know what a header block means. */
export abstract class Session implements FrameSink, StreamLink {
  readonly peer: string;
  protected readonly connection: Connection;
  protected readonly limits: SessionLimits;
  protected readonly outbox: Outbox;
  protected readonly streams = new Map<number, Http2Stream>();
  protected peerSettings = DEFAULT_SETTINGS;
  protected readonly resets = new Allowance(RESETS_AT_ONCE, RESETS_PER_SECOND);
  protected failure: ProtocolError | undefined;
  readonly #nuisance = new Allowance(NUISANCE_COUNT, NUISANCE_PER_SECOND);
  readonly #decoder: FrameDecoder;
  readonly #hpack: HpackDecoder;
  readonly #resetIds = new Set<number>();
  #receiveWindow: number;
  #releasedBytes = 0;
  /** Bytes of the DATA frame in work that count for the windows and are no data. */
  #paddingBytes = 0;
  #isEmptyData = false;
  /** Whether a stream keeps a part of the bytes that came last. */
  #isKept = false;
  #hasEnded = false;
  #heardMs = performance.now();
  #frameBeganMs = performance.now();
  #frameCount = -1;
  #isProbing = false;
  #watch: ReturnType<typeof setInterval> | undefined;
  #settled = Promise.withResolvers<ProtocolError | undefined>();

  protected constructor(
    connection: Connection,
    limits: SessionLimits,
    role: "client" | "server",
    maxConcurrentStreams: number,
  ) {
    this.peer = connection.peer;
    this.connection = connection;
    this.limits = limits;
    this.outbox = new Outbox(connection, (error) => this.#endWith(error));
    this.#hpack = new HpackDecoder(DEFAULT_SETTINGS.headerTableSize, limits.headerListSizeMax);
    this.#decoder = new FrameDecoder(this, {
      frameSizeMax: limits.frameSizeMax,
      headerBlockSizeMax: 2 * limits.headerListSizeMax,
    }, role === "server");
    this.#receiveWindow = limits.connectionWindowSize;
    const settings: Settings = {
      headerTableSize: DEFAULT_SETTINGS.headerTableSize,
      enablePush: role === "server",
      maxConcurrentStreams,
      initialWindowSize: limits.streamWindowSize,
      maxFrameSize: limits.frameSizeMax,
      maxHeaderListSize: limits.headerListSizeMax,
    };
    const growth = limits.connectionWindowSize - DEFAULT_SETTINGS.initialWindowSize;
    this.outbox.control(
      ...role === "client" ? [CLIENT_PREFACE] : [],
      settingsFrame(settings),
      ...growth > 0 ? [windowUpdateFrame(0, growth)] : [],
    );
  }

  /** Resolves when the session has ended, with what ended it, if that was no orderly end. */
  get settled(): Promise<ProtocolError | undefined> {
    return this.#settled.promise;
  }

  /** Whether no more can be done on it. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** A header block is there; `stream` is undefined where it opens one, or there is none now. */
  protected abstract onFields(
    streamId: number,
    stream: Http2Stream | undefined,
    list: HeaderList,
    endsStream: boolean,
  ): void;
  /** Whether a stream was never opened. */
  protected abstract isIdle(streamId: number): boolean;
  /** The peer will not look at streams beyond a number. */
  protected abstract onPeerLeaves(lastStreamId: number, error: ProtocolError): void;
  /** A stream has left the table. */
  protected abstract onStreamGone(): void;
  /** The last stream of the peer that was looked at. */
  protected abstract get lastPeerStreamId(): number;
  /** Is asked several times a minute. */
  protected abstract onWatch(nowMs: number): void;

  /** Reads until the connection ends. Never rejects. */
  protected async run(): Promise<void> {
    const { headTimeoutMs, keepAliveMs, keepAliveTimeoutMs } = this.limits;
    const periodMs = Math.min(headTimeoutMs, keepAliveMs, keepAliveTimeoutMs) / 4;
    this.#watch = setInterval(() => this.#onWatch(), periodMs);
    try {
      for (;;) {
        const bytes = await this.connection.read();
        if (bytes === undefined) break;
        this.#heardMs = performance.now();
        this.#isProbing = false;
        this.#isKept = false;
        if (!this.#hasEnded) this.#decoder.push(bytes);
        if (!this.#isKept) freeMemory(bytes);
      }
      const isCut = this.streams.size > 0 || this.#decoder.isWithinFrame;
      this.end(isCut ? lost(this.peer, new Error("it ended in the middle")) : undefined);
    } catch (error) {
      this.#endWith(error);
    }
  }

  #endWith(error: unknown): void {
    if (error instanceof ProtocolError && error.code in ErrorCode) this.violate(error);
    else this.end(lost(this.peer, error));
  }

  /** Ends the session and tells the peer what it did wrong. */
  protected violate(error: ProtocolError): void {
    if (this.#hasEnded) return;
    const name = error.code in ErrorCode ? error.code as ErrorName : "NO_ERROR";
    this.end(error, goAwayFrame(this.lastPeerStreamId, name, error.message.slice(0, 200)));
  }

  /** Ends the session; streams that are not done fail. */
  protected end(error: ProtocolError | undefined, lastFrame?: Uint8Array<ArrayBuffer>): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.failure = error;
    clearInterval(this.#watch);
    const reason = error ??
      new ProtocolError(`The connection to ${this.peer} is closed`, CONNECTION_LOST);
    for (const stream of [...this.streams.values()]) {
      this.streams.delete(stream.id);
      stream.fail(reason);
      stream.onGone?.();
    }
    this.onStreamGone();
    void this.#close(lastFrame === undefined ? [] : [lastFrame]).then(() =>
      this.#settled.resolve(error)
    );
  }

  async #close(frames: readonly Uint8Array<ArrayBuffer>[]): Promise<void> {
    const timer = setTimeout(() => this.connection.destroy(), LINGER_MS);
    await this.outbox.close(...frames);
    this.connection.end();
    await this.connection.closed;
    clearTimeout(timer);
  }

  #onWatch(): void {
    const nowMs = performance.now();
    const { headTimeoutMs, keepAliveMs, keepAliveTimeoutMs } = this.limits;
    const { frameCount, isWithinFrame, isWithinData, hasBegun } = this.#decoder;
    const mustGoOn = !hasBegun || isWithinFrame && !isWithinData;
    if (frameCount !== this.#frameCount || !mustGoOn) {
      this.#frameCount = frameCount;
      this.#frameBeganMs = nowMs;
    } else if (nowMs - this.#frameBeganMs >= headTimeoutMs) {
      return this.violate(timedOut(this.peer, "does not finish what it began to send"));
    }
    const silentMs = nowMs - this.#heardMs;
    if (this.#isProbing && silentMs >= keepAliveMs + keepAliveTimeoutMs) {
      return this.violate(timedOut(this.peer, "does not answer"));
    }
    if (!this.#isProbing && silentMs >= keepAliveMs) {
      this.#isProbing = true;
      this.outbox.control(pingFrame(new Uint8Array(8), false));
    }
    this.onWatch(nowMs);
  }

  // What streams ask for.

  /** See {@link StreamLink.release}. */
  release(stream: Http2Stream, bytes: number): void {
    this.#reopen(bytes);
    if (stream.isReceiveDone || this.#hasEnded) return;
    stream.releasedBytes += bytes;
    if (stream.releasedBytes * 2 < this.limits.streamWindowSize) return;
    this.outbox.control(windowUpdateFrame(stream.id, stream.releasedBytes));
    stream.receiveWindow += stream.releasedBytes;
    stream.releasedBytes = 0;
  }

  /** See {@link StreamLink.wantToSend}. */
  wantToSend(stream: Http2Stream): void {
    this.outbox.enqueue(stream);
  }

  /** See {@link StreamLink.resetStream}. */
  resetStream(stream: Http2Stream, error: ProtocolError): void {
    if (stream.failure !== undefined) return;
    this.sendReset(stream.id, codeOf(error));
    stream.fail(error);
    this.#forget(stream);
  }

  /** See {@link StreamLink.directionDone}. */
  directionDone(stream: Http2Stream): void {
    if (!stream.isReceiveDone || !stream.isSendDone) return;
    this.#nuisance.earn(4);
    this.resets.earn(1);
    this.#forget(stream);
  }

  /** RST_STREAM, after which the peer may not know of it for a while. */
  protected sendReset(streamId: number, code: number): void {
    this.#resetIds.add(streamId);
    if (this.#resetIds.size > RESET_COUNT_MAX) {
      for (const oldest of this.#resetIds) {
        this.#resetIds.delete(oldest);
        break;
      }
    }
    this.outbox.control(resetFrame(streamId, code));
  }

  /** One more stream that ended before its time. @throws {ProtocolError} when there are too many */
  protected countReset(): void {
    if (!this.resets.spend()) throw tooMany("streams that end before their time");
  }

  /** One more thing that does nothing. @throws {ProtocolError} when there are too many */
  protected countNuisance(): void {
    if (!this.#nuisance.spend()) throw tooMany("frames that do nothing");
  }

  #forget(stream: Http2Stream): void {
    if (!this.streams.delete(stream.id)) return;
    stream.onGone?.();
    this.onStreamGone();
  }

  #reopen(bytes: number): void {
    this.#releasedBytes += bytes;
    if (this.#hasEnded || this.#releasedBytes * 2 < this.limits.connectionWindowSize) return;
    this.outbox.control(windowUpdateFrame(0, this.#releasedBytes));
    this.#receiveWindow += this.#releasedBytes;
    this.#releasedBytes = 0;
  }

  /** A stream that takes frames, or undefined for one that does no longer. */
  #streamOf(streamId: number): Http2Stream | undefined {
    const stream = this.streams.get(streamId);
    if (stream === undefined && this.isIdle(streamId)) {
      throw violation("PROTOCOL_ERROR", `a frame came on stream ${streamId}, which nobody opened`);
    }
    return stream;
  }

  /** The same, for frames that nobody may send behind the end of a stream. */
  #openStreamOf(streamId: number): Http2Stream | undefined {
    const stream = this.#streamOf(streamId);
    if (stream === undefined && !this.#resetIds.has(streamId)) {
      throw violation("STREAM_CLOSED", `a frame came on stream ${streamId}, which is closed`);
    }
    if (stream?.isReceiveDone !== true) return stream;
    this.countReset();
    this.resetStream(stream, violation("STREAM_CLOSED", `more came on stream ${streamId}`));
    return undefined;
  }

  // Frames, see FrameSink.

  onDataStart(streamId: number, flowSize: number): void {
    this.#paddingBytes = flowSize;
    this.#isEmptyData = flowSize === 0;
    this.#receiveWindow -= flowSize;
    if (this.#receiveWindow < 0) {
      throw violation("FLOW_CONTROL_ERROR", "more came than the window of the connection allows");
    }
    const stream = this.#openStreamOf(streamId);
    if (stream === undefined) return;
    stream.receiveWindow -= flowSize;
    if (!stream.hasHead) {
      this.resetStream(stream, violation("PROTOCOL_ERROR", "a body came before its head"));
    } else if (stream.receiveWindow < 0) {
      const message = `more came than the window of stream ${streamId} allows`;
      this.resetStream(stream, violation("FLOW_CONTROL_ERROR", message));
    }
  }

  onData(streamId: number, piece: Uint8Array<ArrayBuffer>): void {
    this.#paddingBytes -= piece.length;
    const stream = this.streams.get(streamId);
    if (stream === undefined) this.#reopen(piece.length);
    else if (stream.receive(piece)) this.#isKept = true;
  }

  onDataEnd(streamId: number, endsStream: boolean): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined) this.#reopen(this.#paddingBytes);
    else this.release(stream, this.#paddingBytes);
    this.#paddingBytes = 0;
    if (endsStream) stream?.receiveEnd();
    else if (this.#isEmptyData) this.countNuisance();
  }

  onHeaderBlock(streamId: number, block: Uint8Array, endsStream: boolean): void {
    const list = this.#hpack.decode(block);
    const isNew = this.isIdle(streamId);
    this.onFields(streamId, isNew ? undefined : this.#openStreamOf(streamId), list, endsStream);
  }

  onReset(streamId: number, code: number): void {
    const stream = this.#streamOf(streamId);
    if (stream === undefined) return this.countNuisance();
    this.countReset();
    // A server that has answered may say so that it does not want the rest of the request.
    if (code === ErrorCode.NO_ERROR && stream.isReceiveDone) {
      stream.endSending();
      return this.directionDone(stream);
    }
    stream.fail(resetByPeer(code));
    this.#forget(stream);
  }

  onSettings(payload: Uint8Array | undefined): void {
    this.countNuisance();
    if (payload === undefined) return;
    const before = this.peerSettings;
    this.peerSettings = updatedSettings(before, payload);
    this.outbox.frameSizeMax = this.peerSettings.maxFrameSize;
    const growth = this.peerSettings.initialWindowSize - before.initialWindowSize;
    for (const stream of this.streams.values()) {
      stream.sendWindow += growth;
      if (stream.sendWindow > WINDOW_LIMIT) {
        throw violation("FLOW_CONTROL_ERROR", "a window of a stream is beyond 2^31 - 1");
      }
      this.outbox.enqueue(stream);
    }
    this.outbox.control(settingsFrame("ack"));
    this.onStreamGone();
  }

  onPing(opaque: Uint8Array, isAnswer: boolean): void {
    this.countNuisance();
    if (!isAnswer) this.outbox.control(pingFrame(opaque, true));
  }

  onGoAway(lastStreamId: number, code: number, debug: Uint8Array): void {
    this.countNuisance();
    const text = latin1Text(debug.subarray(0, 200)).replace(/[^ -~]/g, "?");
    this.onPeerLeaves(lastStreamId, goneAway(code, text));
  }

  onWindowUpdate(streamId: number, incrementBytes: number): void {
    if (incrementBytes < FREE_INCREMENT) this.countNuisance();
    if (streamId === 0) {
      if (incrementBytes === 0) throw violation("PROTOCOL_ERROR", "a window is opened by nothing");
      return this.outbox.widen(incrementBytes);
    }
    const stream = this.#streamOf(streamId);
    if (stream === undefined) return;
    stream.sendWindow += incrementBytes;
    if (incrementBytes === 0 || stream.sendWindow > WINDOW_LIMIT) {
      const name = incrementBytes === 0 ? "PROTOCOL_ERROR" : "FLOW_CONTROL_ERROR";
      this.countReset();
      return this.resetStream(stream, violation(name, `a window opened by ${incrementBytes}`));
    }
    this.outbox.enqueue(stream);
  }

  onIgnored(): void {
    this.countNuisance();
  }
}

/** Window updates of so many bytes are worth their frame: the peer has read them. */
const FREE_INCREMENT = 1024;

function lost(peer: string, cause: unknown): ProtocolError {
  if (cause instanceof ProtocolError) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  return new ProtocolError(`The connection to ${peer} was lost: ${text}`, {
    ...CONNECTION_LOST,
    cause,
  });
}

function timedOut(peer: string, what: string): ProtocolError {
  return new ProtocolError(`${peer} ${what}`, { code: "timeout", isTemporary: true });
}

function tooMany(what: string): ProtocolError {
  return violation("ENHANCE_YOUR_CALM", `there are too many ${what}`);
}
