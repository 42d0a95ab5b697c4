/**
 * The memory of a mailbox: slots that callers and the thread that answers hand to each other.
 *
 * A slot has a state, two lengths and an area: a payload from its start on, and behind it a text in
 * JSON. Whoever the state names has the area. Memory is only taken where somebody writes: slots
 * that nobody has claimed yet cost nothing.
 *
 * @module
 */

import { LimitError, ProtocolError } from "#src/errors.ts";
import { addAndWake, type SharedCells } from "../waiting.ts";

/** Cells before those of the slots. Counters wrap around. */
export const Cell = {
  SLOT_COUNT: 0,
  /** Bytes of an area, in pieces of {@link AREA_UNIT}. */
  AREA_UNITS: 1,
  /** Changes when there is something for the thread that answers. */
  CALL: 2,
  /** Changes when a slot was given back. */
  FREED: 3,
  /** Changes several times a second as long as the thread that answers lives. */
  BEAT: 4,
  /** {@link Life} of that thread. */
  LIFE: 5,
} as const;
const HEADER_CELLS = 16;
const SLOT_CELLS = 16;
const AREA_UNIT = 64;

/** How far the thread that answers is. */
export const Life = { STARTING: 0, ANSWERING: 1, STOPPING: 2, ENDED: 3 } as const;

/** Who has a slot, and what is in it. */
export const MailState = {
  FREE: 0,
  /** A caller writes a request. */
  CLAIMED: 1,
  /** A request nobody has seen. */
  POSTED: 2,
  /** The thread that answers is at it. */
  TAKEN: 3,
  /** Its caller takes out a part of the answer. */
  PART: 4,
  ANSWERED: 5,
  FAILED: 6,
  /** The caller waits no more: the thread that answers gives the slot back. */
  ABANDONED: 7,
} as const;

/** Cells of a slot. */
const SlotCell = { STATE: 0, PAYLOAD_SIZE: 1, TEXT_SIZE: 2, WANTS_ANSWER: 3 } as const;

/** How large a mailbox is. */
export interface MailboxSize {
  /** Requests at a time, one of which is an urgent one. */
  readonly slotCount: number;
  /** Bytes of the largest request or answer, payload and text together. */
  readonly areaBytes: number;
}

/** Makes the memory of a mailbox. */
export function createMailbox({ slotCount, areaBytes }: MailboxSize): SharedArrayBuffer {
  const areaUnits = Math.ceil(areaBytes / AREA_UNIT);
  const controlBytes = controlSize(slotCount);
  const shared = new SharedArrayBuffer(controlBytes + slotCount * areaUnits * AREA_UNIT);
  const cells = new Int32Array(shared, 0, HEADER_CELLS);
  cells[Cell.SLOT_COUNT] = slotCount;
  cells[Cell.AREA_UNITS] = areaUnits;
  return shared;
}

function controlSize(slotCount: number): number {
  const cells = HEADER_CELLS + slotCount * SLOT_CELLS;
  return Math.ceil(cells * Int32Array.BYTES_PER_ELEMENT / AREA_UNIT) * AREA_UNIT;
}

/** A mailbox's memory as one thread sees it. */
export class MailSlots {
  readonly shared: SharedArrayBuffer;
  readonly cells: SharedCells;
  readonly count: number;
  readonly areaBytes: number;
  readonly #areasOffset: number;

  constructor(shared: SharedArrayBuffer) {
    this.shared = shared;
    const header = new Int32Array(shared, 0, HEADER_CELLS);
    this.count = header[Cell.SLOT_COUNT]!;
    this.areaBytes = header[Cell.AREA_UNITS]! * AREA_UNIT;
    this.cells = new Int32Array(shared, 0, HEADER_CELLS + this.count * SLOT_CELLS);
    this.#areasOffset = controlSize(this.count);
  }

  /** Index of the cell with a slot's state. */
  stateCell(slot: number): number {
    return HEADER_CELLS + slot * SLOT_CELLS + SlotCell.STATE;
  }

  stateOf(slot: number): number {
    return Atomics.load(this.cells, this.stateCell(slot));
  }

  /** Changes a slot's state, if it still has the one before, and wakes who waits for that. */
  change(slot: number, from: number, to: number): boolean {
    const cell = this.stateCell(slot);
    if (Atomics.compareExchange(this.cells, cell, from, to) !== from) return false;
    Atomics.notify(this.cells, cell);
    return true;
  }

  /** Gives a slot back. */
  free(slot: number): void {
    Atomics.store(this.cells, this.stateCell(slot), MailState.FREE);
    addAndWake(this.cells, Cell.FREED, 1);
  }

  /** The whole area of a slot, for whoever has it. */
  area(slot: number): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.shared, this.#areasOffset + slot * this.areaBytes, this.areaBytes);
  }

  payloadOf(slot: number): Uint8Array<SharedArrayBuffer> {
    return this.area(slot).subarray(0, this.#sizeAt(slot, SlotCell.PAYLOAD_SIZE));
  }

  textOf(slot: number): string {
    const start = this.#sizeAt(slot, SlotCell.PAYLOAD_SIZE);
    const end = start + this.#sizeAt(slot, SlotCell.TEXT_SIZE);
    // Text is decoded from memory of this thread only.
    return new TextDecoder().decode(this.area(slot).slice(start, end));
  }

  /**
   * Writes what a slot says.
   *
   * @param payload its bytes, or how many of the area are there already
   * @throws {LimitError} when there is not so much room
   */
  write(slot: number, text: string, payload: Uint8Array | number): void {
    const area = this.area(slot);
    const textBytes = new TextEncoder().encode(text);
    const payloadSize = typeof payload === "number" ? payload : payload.length;
    if (payloadSize + textBytes.length > area.length) {
      throw new LimitError(
        `Cannot hand over ${payloadSize + textBytes.length} bytes: the limit is ${area.length}`,
      );
    }
    if (typeof payload !== "number") area.set(payload);
    area.set(textBytes, payloadSize);
    const cell = this.stateCell(slot);
    this.cells[cell + SlotCell.PAYLOAD_SIZE] = payloadSize;
    this.cells[cell + SlotCell.TEXT_SIZE] = textBytes.length;
  }

  /** Whether the caller of a slot waits for the answer. */
  wantsAnswer(slot: number): boolean {
    return this.cells[this.stateCell(slot) + SlotCell.WANTS_ANSWER] === 1;
  }

  setWantsAnswer(slot: number, wantsAnswer: boolean): void {
    this.cells[this.stateCell(slot) + SlotCell.WANTS_ANSWER] = wantsAnswer ? 1 : 0;
  }

  #sizeAt(slot: number, cell: number): number {
    return this.cells[this.stateCell(slot) + cell]!;
  }
}

/** The error of a caller whose request nobody answers. */
export function threadEnded(reason: string): ProtocolError {
  return new ProtocolError(`Cannot go on: the thread with the connections ${reason}`, {
    code: "thread-ended",
    isTemporary: true,
  });
}
