/**
 * What a connection of HTTP/2 sends: control frames first, then the streams in turn.
 *
 * @module
 */

import type { Connection } from "../connection.ts";
import { violation } from "./error_code.ts";
import { FrameFlag, frameHead, FrameType } from "./frame.ts";
import { DEFAULT_SETTINGS, FRAME_SIZE_MIN, WINDOW_LIMIT } from "./settings.ts";
import type { Http2Stream, OutgoingFrame } from "./stream.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Of one DATA frame: large enough to cost nothing, small enough for others to have their turn. */
const PAYLOAD_SIZE_MAX = 512 * 1024;
/** Given to the connection at a time. */
const BATCH_SIZE = 1024 * 1024;
/** Control frames that wait for a peer that reads nothing. */
const CONTROL_COUNT_MAX = 10_000;

/** The sending end of a connection. */
export class Outbox {
  /** Largest payload of a frame that the peer takes, in bytes. */
  frameSizeMax = FRAME_SIZE_MIN;
  readonly #connection: Connection;
  readonly #onBroken: (error: unknown) => void;
  /** Bytes of DATA that the peer lets the connection send. */
  #window = DEFAULT_SETTINGS.initialWindowSize;
  #control: Bytes[] = [];
  #line: Http2Stream[] = [];
  #isRunning = false;
  #ended: Promise<void> | undefined;
  #isClosed = false;

  /** @param onBroken hears why nothing more can be sent */
  constructor(connection: Connection, onBroken: (error: unknown) => void) {
    this.#connection = connection;
    this.#onBroken = onBroken;
  }

  /** Sends frames other than DATA. */
  control(...frames: readonly Bytes[]): void {
    if (this.#isClosed) return;
    if (this.#control.length > CONTROL_COUNT_MAX) {
      this.#control = [];
      return this.#onBroken(violation("ENHANCE_YOUR_CALM", "the peer asks and reads nothing"));
    }
    this.#control.push(...frames);
    this.#start();
  }

  /** A stream wants to send. */
  enqueue(stream: Http2Stream): void {
    if (this.#isClosed || stream.isInLine || !stream.canSend) return;
    stream.isInLine = true;
    this.#line.push(stream);
    this.#start();
  }

  /** The peer takes more. @throws {ProtocolError} when that is more than can be counted */
  widen(incrementBytes: number): void {
    this.#window += incrementBytes;
    if (this.#window > WINDOW_LIMIT) {
      throw violation("FLOW_CONTROL_ERROR", "the window of the connection is beyond 2^31 - 1");
    }
    this.#start();
  }

  /** Sends what control frames wait and these, and nothing more. Never rejects. */
  async close(...frames: readonly Bytes[]): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#line = [];
    this.#control.push(...frames);
    await this.#ended;
    await this.#connection.write(this.#control.splice(0)).catch(() => {});
  }

  #start(): void {
    if (this.#isRunning || this.#isClosed) return;
    this.#isRunning = true;
    this.#ended = this.#run().catch(this.#onBroken);
  }

  async #run(): Promise<void> {
    // Whoever called may have more: all of it goes out at once.
    await Promise.resolve();
    while (!this.#isClosed) {
      const parts = this.#control.splice(0);
      const taken = this.#gather(parts);
      if (parts.length === 0) break;
      await this.#connection.write(parts);
      for (const [stream, frame] of taken) stream.sent(frame);
    }
    this.#isRunning = false;
  }

  #gather(parts: Bytes[]): [Http2Stream, OutgoingFrame][] {
    const taken: [Http2Stream, OutgoingFrame][] = [];
    let size = 0;
    let blockedCount = 0;
    while (size < BATCH_SIZE && blockedCount < this.#line.length) {
      const stream = this.#line.shift()!;
      const frame = stream.takeFrame(
        Math.min(this.frameSizeMax, PAYLOAD_SIZE_MAX, Math.max(this.#window, 0)),
      );
      if (frame !== undefined) {
        const { payload, endsStream } = frame;
        const flags = endsStream ? FrameFlag.END_STREAM : 0;
        parts.push(frameHead(FrameType.DATA, flags, stream.id, payload.length));
        if (payload.length > 0) parts.push(payload);
        this.#window -= payload.length;
        size += payload.length;
        taken.push([stream, frame]);
        blockedCount = 0;
      } else if (stream.canSend) {
        blockedCount++;
      }
      stream.isInLine = stream.canSend;
      if (stream.isInLine) this.#line.push(stream);
    }
    return taken;
  }
}
