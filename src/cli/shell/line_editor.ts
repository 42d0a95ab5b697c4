/**
 * One line that is typed at a terminal in raw mode: editing, history and completion. It neither
 * reads nor writes: it is told of keys and says what is to be shown.
 *
 * @module
 */

/** What became of the line after a key. */
export type EditState = "open" | "accepted" | "interrupted" | "ended";

/** What the text at the cursor could go on to. */
export interface Completion {
  /** Where in the line the part begins that is completed. */
  readonly start: number;
  /** What may stand from there on up to the cursor. */
  readonly candidates: readonly string[];
}

/** Finds completions of what is left of the cursor. */
export type Complete = (lineStart: string) => Completion;

const ESCAPE = 0x1b;
/** Lines longer than this are not typed by people. */
const LENGTH_MAX = 1 << 16;

const Control = {
  A: 0x01,
  B: 0x02,
  C: 0x03,
  D: 0x04,
  E: 0x05,
  F: 0x06,
  BACKSPACE: 0x08,
  TAB: 0x09,
  LINE_FEED: 0x0a,
  K: 0x0b,
  L: 0x0c,
  RETURN: 0x0d,
  N: 0x0e,
  P: 0x10,
  U: 0x15,
  W: 0x17,
  DELETE: 0x7f,
} as const;

/** Edits one line. */
export class LineEditor {
  readonly #complete: Complete;
  /** Former lines, and the one that is being typed at the end. */
  readonly #lines: string[];
  #place: number;
  /** Characters as people see them; surrogate pairs are one. */
  #characters: string[] = [];
  #cursor = 0;
  /** An escape sequence that has begun. */
  #sequence: string | undefined;
  /** Bytes of a character that is not complete. */
  #bytes: number[] = [];
  #candidates: readonly string[] | undefined;
  #isCompleting = false;
  #clearsScreen = false;

  constructor(history: readonly string[], complete: Complete) {
    this.#lines = [...history, ""];
    this.#place = history.length;
    this.#complete = complete;
  }

  /** The line as it is. */
  get text(): string {
    return this.#characters.join("");
  }

  /** Possible completions that are to be shown, once. */
  takeCandidates(): readonly string[] | undefined {
    const candidates = this.#candidates;
    this.#candidates = undefined;
    return candidates;
  }

  /** Takes one byte from the terminal. */
  type(byte: number): EditState {
    if (this.#sequence !== undefined) return this.#continueSequence(byte);
    const isCompleting = this.#isCompleting;
    this.#isCompleting = false;
    if (byte >= 0x80 || (byte >= 0x20 && byte !== Control.DELETE)) return this.#typeByte(byte);
    this.#bytes = [];
    return this.#control(byte, isCompleting);
  }

  /**
   * What shows the line on a terminal that is `columns` wide, whatever its cursor line shows now. A
   * longer line is cut on both sides of the cursor.
   */
  render(prompt: string, columns: number): string {
    const promptWidth = [...prompt].length;
    const width = Math.max(1, columns - promptWidth - 1);
    const first = Math.max(0, this.#cursor - width);
    const shown = this.#characters.slice(first, first + width).map(printable).join("");
    const back = Math.min(this.#characters.length - first, width) - (this.#cursor - first);
    const clear = this.#clearsScreen ? "\x1b[H\x1b[2J" : "\r\x1b[K";
    this.#clearsScreen = false;
    return `${clear}${prompt}${shown}${back > 0 ? `\x1b[${back}D` : ""}`;
  }

  #control(byte: number, isCompleting: boolean): EditState {
    switch (byte) {
      case Control.C:
        return "interrupted";
      case Control.LINE_FEED:
      case Control.RETURN:
        return "accepted";
      case Control.D:
        if (this.#characters.length === 0) return "ended";
        this.#remove(this.#cursor, this.#cursor + 1);
        return "open";
      case Control.TAB:
        this.#completeAtCursor(isCompleting);
        return "open";
      case ESCAPE:
        this.#sequence = "";
        return "open";
      default:
        this.#edit(byte);
        return "open";
    }
  }

  #edit(byte: number): void {
    switch (byte) {
      case Control.A:
        return this.#moveTo(0);
      case Control.E:
        return this.#moveTo(this.#characters.length);
      case Control.B:
        return this.#moveTo(this.#cursor - 1);
      case Control.F:
        return this.#moveTo(this.#cursor + 1);
      case Control.BACKSPACE:
      case Control.DELETE:
        return this.#remove(this.#cursor - 1, this.#cursor);
      case Control.K:
        return this.#remove(this.#cursor, this.#characters.length);
      case Control.U:
        return this.#remove(0, this.#cursor);
      case Control.W:
        return this.#remove(this.#wordStart(), this.#cursor);
      case Control.P:
        return this.#recall(this.#place - 1);
      case Control.N:
        return this.#recall(this.#place + 1);
      case Control.L:
        this.#clearsScreen = true;
        return;
    }
  }

  #typeByte(byte: number): EditState {
    this.#bytes.push(byte);
    const text = new TextDecoder().decode(Uint8Array.from(this.#bytes), { stream: true });
    if (text === "") return "open";
    this.#bytes = [];
    this.#insert([...text]);
    return "open";
  }

  #insert(characters: readonly string[]): void {
    if (this.#characters.length + characters.length > LENGTH_MAX) return;
    this.#characters.splice(this.#cursor, 0, ...characters);
    this.#cursor += characters.length;
  }

  #remove(start: number, end: number): void {
    if (start < 0 || end > this.#characters.length || start >= end) return;
    this.#characters.splice(start, end - start);
    if (this.#cursor >= end) this.#cursor -= end - start;
    else this.#cursor = Math.min(this.#cursor, start);
  }

  #moveTo(position: number): void {
    this.#cursor = Math.max(0, Math.min(position, this.#characters.length));
  }

  #wordStart(): number {
    let start = this.#cursor;
    while (start > 0 && this.#characters[start - 1] === " ") start--;
    while (start > 0 && this.#characters[start - 1] !== " ") start--;
    return start;
  }

  #recall(place: number): void {
    const line = this.#lines[place];
    if (line === undefined) return;
    this.#lines[this.#place] = this.text;
    this.#place = place;
    this.#characters = [...line];
    this.#cursor = this.#characters.length;
  }

  /** Keys that send several bytes: `ESC [ A`, `ESC O H`, `ESC [ 3 ~`. */
  #continueSequence(byte: number): EditState {
    const sequence = this.#sequence! + String.fromCharCode(byte);
    const isOpen = sequence === "[" || sequence === "O" || /^\[[\d;]{1,8}$/.test(sequence);
    this.#sequence = isOpen ? sequence : undefined;
    if (isOpen) return "open";
    switch (sequence) {
      case "[A":
      case "OA":
        this.#recall(this.#place - 1);
        break;
      case "[B":
      case "OB":
        this.#recall(this.#place + 1);
        break;
      case "[C":
      case "OC":
        this.#moveTo(this.#cursor + 1);
        break;
      case "[D":
      case "OD":
        this.#moveTo(this.#cursor - 1);
        break;
      case "[H":
      case "OH":
      case "[1~":
      case "[7~":
        this.#moveTo(0);
        break;
      case "[F":
      case "OF":
      case "[4~":
      case "[8~":
        this.#moveTo(this.#characters.length);
        break;
      case "[3~":
        this.#remove(this.#cursor, this.#cursor + 1);
        break;
    }
    return "open";
  }

  /** Types what all completions have in common; the second time in a row they are to be shown. */
  #completeAtCursor(isRepeated: boolean): void {
    const before = this.#characters.slice(0, this.#cursor).join("");
    const { start, candidates } = this.#complete(before);
    if (candidates.length === 0) return;
    const common = commonStart(candidates);
    if (common.length > before.length - start) {
      const line = [...before.slice(0, start), ...common];
      this.#characters.splice(0, this.#cursor, ...line);
      this.#cursor = line.length;
    } else if (isRepeated && candidates.length > 1) {
      this.#candidates = candidates;
    } else {
      this.#isCompleting = true;
    }
  }
}

function commonStart(texts: readonly string[]): string {
  let common = [...texts[0]!];
  for (const text of texts) {
    const characters = [...text];
    const end = common.findIndex((character, index) => character !== characters[index]);
    if (end >= 0) common = common.slice(0, end);
  }
  return common.join("");
}

/** What may have been typed or recalled must not control the terminal. */
function printable(character: string): string {
  return /[\p{Cc}\p{Cs}]/u.test(character) ? "\ufffd" : character;
}
