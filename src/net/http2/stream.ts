/**
 * One request and its answer on a connection of HTTP/2: what comes in is read as a body, what goes
 * out is taken frame by frame.
 *
 * @module
 */

import { ProtocolError } from "#src/errors.ts";
import { PartedBody } from "../parted_body.ts";
import { Deadline } from "./deadline.ts";
import { violation } from "./error_code.ts";
import { PieceQueue } from "./piece_queue.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What a stream asks of its connection. */
export interface StreamLink {
  /** Who is at the other end. */
  readonly peer: string;
  /** Bytes of a stream were taken or dropped: their room in the windows is free. */
  release(stream: Http2Stream, bytes: number): void;
  /** The stream has something to send. */
  wantToSend(stream: Http2Stream): void;
  /** Ends the stream on both sides; `error` has the code that the peer is told. */
  resetStream(stream: Http2Stream, error: ProtocolError): void;
  /** One of the two directions has come to its end. */
  directionDone(stream: Http2Stream): void;
}

/** Payload of the next DATA frame. */
export interface OutgoingFrame {
  readonly payload: Bytes;
  readonly endsStream: boolean;
}

interface OutgoingPart {
  readonly bytes: Bytes;
  readonly isLast: boolean;
  readonly onSent: () => void;
  readonly onFailure: (error: ProtocolError) => void;
}

/** A body on its way into memory of its reader's. */
interface Copying {
  readonly target: Uint8Array;
  size: number;
  readonly done: PromiseWithResolvers<void>;
}

/** Both directions of a stream. As a body it is what comes in. */
export class Http2Stream extends PartedBody {
  /** As announced by `content-length`. */
  length: number | undefined;
  /** Bytes that may be sent. */
  sendWindow: number;
  /** Bytes that the peer may send. */
  receiveWindow: number;
  /** Bytes of the window that are free again and the peer has not been told of. */
  releasedBytes = 0;
  /** Nothing more comes in. */
  isReceiveDone = false;
  /** Nothing more goes out. */
  isSendDone = false;
  /** Whether the header block of a request or final answer has come. */
  hasHead = false;
  /** Whether it waits in the line of those who send. */
  isInLine = false;
  /** Is called when both directions are done, or it has failed. */
  onGone: (() => void) | undefined;
  readonly #link: StreamLink;
  readonly #queue = new PieceQueue();
  readonly #incoming: Deadline;
  readonly #outgoing: Deadline;
  #receivedBytes = 0;
  #isDiscarding = false;
  #reader: PromiseWithResolvers<Bytes | undefined> | undefined;
  #copying: Copying | undefined;
  #failure: ProtocolError | undefined;
  readonly #drainSizeMax: number;
  #drainedBytes = 0;
  #part: OutgoingPart | undefined;
  /** Bytes of the part that were taken; and whether that was all, with the end. */
  #partAt = 0;
  #isPartTaken = false;

  /**
   * @param timeoutMs without progress, while somebody waits for the peer
   * @param drainSizeMax of a body that nobody wants, so many bytes are let in for the sake of peers
   * that send all before they look at the answer
   */
  constructor(
    readonly id: number,
    link: StreamLink,
    windows: { readonly send: number; readonly receive: number },
    timeoutMs: number,
    drainSizeMax: number,
  ) {
    super();
    this.#link = link;
    this.#drainSizeMax = drainSizeMax;
    this.sendWindow = windows.send;
    this.receiveWindow = windows.receive;
    const expire = (what: string) => () => {
      const message = `${link.peer} ${what} for ${timeoutMs / 1000} seconds`;
      link.resetStream(this, new ProtocolError(message, { code: "timeout", isTemporary: true }));
    };
    this.#incoming = new Deadline(timeoutMs, expire("has sent nothing, or too little,"));
    this.#outgoing = new Deadline(timeoutMs, expire("has taken nothing, or too little,"));
  }

  /** What ended it before its time. */
  get failure(): ProtocolError | undefined {
    return this.#failure;
  }

  /** From now on until the head or {@link read} brings something, time runs. */
  expectHead(): void {
    this.#incoming.wait();
  }

  /** The head is there. @param length of the body, where it is announced */
  receiveHead(length: number | undefined): void {
    this.hasHead = true;
    this.length = length;
    this.#incoming.rest();
  }

  /** A part of the body has come. @returns whether its memory is still needed */
  receive(piece: Bytes): boolean {
    this.#receivedBytes += piece.length;
    if (this.length !== undefined && this.#receivedBytes > this.length) {
      this.#link.release(this, piece.length);
      this.#link.resetStream(this, this.#wrongLength());
      return false;
    }
    this.#incoming.progress(piece.length);
    if (this.#copying !== undefined) this.#copyNow(this.#copying, piece);
    else if (this.#isDiscarding) this.#drain(piece.length);
    else {
      this.#keep(piece);
      return true;
    }
    return false;
  }

  #keep(piece: Bytes): void {
    if (this.#reader === undefined) return this.#queue.push(piece);
    this.#incoming.rest();
    const reader = this.#reader;
    this.#reader = undefined;
    this.#link.release(this, piece.length);
    reader.resolve(piece);
  }

  #copyNow(copying: Copying, piece: Bytes): void {
    // What it throws has also given up the rest.
    this.#copying = undefined;
    try {
      this.#copy(copying, piece);
      this.#copying = copying;
    } catch (error) {
      copying.done.reject(error);
    }
    this.#link.release(this, piece.length);
  }

  #copy(copying: Copying, piece: Bytes): void {
    this.throwIfAbove(copying.size + piece.length, copying.target.length);
    copying.target.set(piece, copying.size);
    copying.size += piece.length;
  }

  /** The body is whole. @param mayLackBody of the answer to HEAD, whose length is that of GET */
  receiveEnd(mayLackBody = false): void {
    const isRight = this.length === undefined || this.#receivedBytes === this.length ||
      mayLackBody && this.#receivedBytes === 0;
    if (!isRight) return this.#link.resetStream(this, this.#wrongLength());
    this.isReceiveDone = true;
    this.#incoming.close();
    this.#reader?.resolve(undefined);
    this.#reader = undefined;
    this.#copying?.done.resolve();
    this.#copying = undefined;
    this.#link.directionDone(this);
  }

  override async read(): Promise<Bytes | undefined> {
    if (this.#failure !== undefined) throw this.#failure;
    const piece = this.#queue.shift();
    if (piece !== undefined) {
      this.#link.release(this, piece.length);
      return piece;
    }
    if (this.#isDiscarding) throw givenUp();
    if (this.isReceiveDone) return undefined;
    this.#reader = Promise.withResolvers();
    this.#incoming.wait();
    return await this.#reader.promise;
  }

  /** What comes while somebody waits is copied at once: nobody keeps the memory it came in. */
  override async readInto(target: Uint8Array): Promise<number> {
    if (this.length !== undefined) this.throwIfAbove(this.length, target.length);
    const copying: Copying = { target, size: 0, done: Promise.withResolvers() };
    while (this.#queue.size > 0) this.#copy(copying, (await this.read())!);
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isDiscarding) throw givenUp();
    if (!this.isReceiveDone) {
      this.#copying = copying;
      this.#incoming.wait();
      await copying.done.promise;
    }
    return copying.size;
  }

  override discard(): void {
    this.#isDiscarding = true;
    this.#copying?.done.reject(givenUp());
    this.#copying = undefined;
    const size = this.#queue.clear();
    if (size > 0) this.#link.release(this, size);
    if (this.isReceiveDone) return;
    this.#incoming.wait();
    if (this.#drainSizeMax === 0) this.#drain(0);
  }

  #drain(size: number): void {
    this.#drainedBytes += size;
    this.#link.release(this, size);
    if (this.#drainedBytes < this.#drainSizeMax || !this.isSendDone && this.#drainSizeMax > 0) {
      return;
    }
    this.#link.resetStream(
      this,
      violation(this.#drainSizeMax > 0 ? "NO_ERROR" : "CANCEL", "unread"),
    );
  }

  /**
   * Sends a part of a body.
   *
   * @returns when its memory may change
   * @throws {ProtocolError} when the stream has failed
   */
  send(bytes: Bytes, isLast: boolean): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#part = { bytes, isLast, onSent: resolve, onFailure: reject };
    this.#partAt = 0;
    this.#isPartTaken = false;
    this.#outgoing.wait();
    this.#link.wantToSend(this);
    return promise;
  }

  /** Whether it would send if the connection let it. */
  get canSend(): boolean {
    if (this.#part === undefined || this.#isPartTaken) return false;
    return this.#partAt === this.#part.bytes.length || this.sendWindow > 0;
  }

  /** Takes the payload of the next DATA frame; undefined when there can be none. */
  takeFrame(sizeMax: number): OutgoingFrame | undefined {
    const part = this.#part;
    if (part === undefined || !this.canSend) return undefined;
    const size = Math.min(part.bytes.length - this.#partAt, sizeMax, this.sendWindow);
    if (size <= 0 && part.bytes.length > this.#partAt) return undefined;
    const payload = part.bytes.subarray(this.#partAt, this.#partAt + Math.max(size, 0));
    this.#partAt += payload.length;
    this.sendWindow -= payload.length;
    this.#isPartTaken = this.#partAt === part.bytes.length;
    const endsStream = this.#isPartTaken && part.isLast;
    if (endsStream) this.isSendDone = true;
    return { payload, endsStream };
  }

  /** What was taken has left. */
  sent({ payload, endsStream }: OutgoingFrame): void {
    if (this.#failure !== undefined) return;
    this.#outgoing.progress(payload.length);
    this.#incoming.progress(payload.length);
    const part = this.#part;
    if (part !== undefined && this.#isPartTaken) {
      this.#part = undefined;
      this.#outgoing.rest();
      part.onSent();
    }
    if (!endsStream) return;
    this.#outgoing.close();
    this.#link.directionDone(this);
  }

  /** The end of the sending side without a body, or with the rest left out. */
  endSending(): void {
    this.isSendDone = true;
    this.#outgoing.close();
    const part = this.#part;
    this.#part = undefined;
    part?.onSent();
  }

  /** Ends both directions. What has come and was not read is dropped. */
  fail(error: ProtocolError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.isReceiveDone = true;
    this.isSendDone = true;
    this.#incoming.close();
    this.#outgoing.close();
    const size = this.#queue.clear();
    if (size > 0) this.#link.release(this, size);
    this.#reader?.reject(error);
    this.#reader = undefined;
    this.#copying?.done.reject(error);
    this.#copying = undefined;
    this.#part?.onFailure(error);
    this.#part = undefined;
  }

  #wrongLength(): ProtocolError {
    return violation(
      "PROTOCOL_ERROR",
      `a body of ${this.length} bytes was announced, and ${this.#receivedBytes} came`,
    );
  }
}

function givenUp(): ProtocolError {
  return new ProtocolError("HTTP/2: the rest of the body was given up");
}
