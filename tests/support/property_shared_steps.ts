/**
 * Steps on files that several clients use at the same time.
 *
 * @module
 */

import { withFile, writeAllAt } from "#tests/support/posix_files.ts";
import * as posix from "#tests/support/posix_calls.ts";
import { type Draws, pathOf, type Step } from "#tests/support/property_draws.ts";
import { assertKnownBytes, type Model } from "#tests/support/property_model.ts";
import { readStep } from "#tests/support/property_file_steps.ts";

const { O } = posix;

const STRIPES_AT_ONCE = 6;

/** See the module. */
export class SharedSteps {
  readonly #draws: Draws;

  constructor(draws: Draws) {
    this.#draws = draws;
  }

  writeShared(model: Model, isDoomed: boolean): Step {
    if (!isDoomed && this.#draws.random.oneIn(3)) return this.#writeSharedMapped(model);
    const { number } = this.#draws.places.shared;
    const held = this.#draws.places.openFiles.find((file) => file.number === number);
    const { start, bytes } = this.#ownPiece();
    const path = this.#draws.path(pathOf(model, number));
    const use = (run: (fd: number) => void) => held ? run(held.fd) : withFile(path, O.RDWR, run);
    return {
      text: `write ${bytes.length} bytes (${bytes[0]} …) at ${start} of the shared file`,
      perform: () => use((fd) => writeAllAt(fd, bytes, start)),
      effect: (model) => model.write(number, start, bytes),
      touched: number,
    };
  }

  /**
   * Only so several requests to write to one file are under way at a time: write(2) takes turns.
   */
  #writeSharedMapped(model: Model): Step {
    const { number } = this.#draws.places.shared;
    const size = model.file(number).bytes.length;
    const pieces = Array.from({ length: this.#draws.random.between(1, 6) }, () => this.#ownPiece());
    const path = this.#draws.path(pathOf(model, number));
    return {
      text: `write to the shared file by a mapping, at ${pieces.map(({ start }) => start)}`,
      perform: () =>
        withFile(path, O.RDWR, (fd) => {
          const mapping = posix.mapShared(fd, size);
          assertKnownBytes(mapping.bytes, model.file(number), 0, "the shared file, mapped");
          for (const { start, bytes } of pieces) mapping.bytes.set(bytes, start);
          mapping.sync();
          mapping.unmap();
        }),
      effect: (model) => pieces.forEach(({ start, bytes }) => model.write(number, start, bytes)),
    };
  }

  /** New content for a part of what is the client's own in the shared file. */
  #ownPiece(): { start: number; bytes: Uint8Array<ArrayBuffer> } {
    const { own } = this.#draws.places.shared;
    const offset = this.#draws.offset(own.end - own.start) + own.start - 1;
    const start = Math.max(own.start, Math.min(offset, own.end - 1));
    return { start, bytes: this.#draws.content(Math.min(this.#draws.length(), own.end - start)) };
  }

  /**
   * Changes blocks for the first time that lie beside those which other clients change at this
   * moment.
   */
  writeStripes(model: Model, isDoomed: boolean): Step | undefined {
    const { number, stripes } = this.#draws.places.striped;
    const taken = stripes.splice(0, STRIPES_AT_ONCE);
    if (taken.length === 0) return undefined;
    const pieces = taken.map(({ start, end }) => {
      const size = this.#draws.random.pick([1, 100, 5000]);
      return {
        start: this.#draws.random.between(start, end - size),
        bytes: this.#draws.random.bytes(size),
      };
    });
    const path = this.#draws.path(pathOf(model, number));
    const sizeBytes = model.file(number).bytes.length;
    return {
      text: `write to the striped file${isDoomed ? "" : " by a mapping"}, at ` +
        pieces.map(({ start, bytes }) => `${start} (${bytes.length})`).join(", "),
      perform: () =>
        withFile(path, O.RDWR, (fd) => {
          if (isDoomed) {
            for (const { start, bytes } of pieces) writeAllAt(fd, bytes, start);
            return;
          }
          const mapping = posix.mapShared(fd, sizeBytes);
          for (const { start, bytes } of pieces) mapping.bytes.set(bytes, start);
          mapping.sync();
          mapping.unmap();
        }),
      effect: (model) => pieces.forEach(({ start, bytes }) => model.write(number, start, bytes)),
      touched: number,
    };
  }

  appendToJournal(): Step {
    const { journal } = this.#draws.places;
    const line = journal.nextLine();
    return {
      text: `append "${line}" to the journal`,
      perform: () => {
        const bytes = new TextEncoder().encode(`${line}\n`);
        const flags = O.WRONLY | O.APPEND;
        withFile(this.#draws.path(journal.path), flags, (fd) => posix.write(fd, bytes));
        journal.wrote(line);
      },
    };
  }

  /** Of files that other clients read, or write to, at the same time. */
  readUntouched(model: Model): Step {
    const number = this.#draws.random.pick([
      this.#draws.places.untouched,
      this.#draws.places.shared.number,
    ]);
    const path = pathOf(model, number);
    const isDirect = this.#draws.random.oneIn(3) && this.#draws.places.readsPastCache;
    return readStep(this.#draws, model, {
      number,
      text: `"${path}"${isDirect ? " past the page cache" : ""}`,
      use: (run) =>
        withFile(this.#draws.path(path), isDirect ? O.RDONLY | O.DIRECT : O.RDONLY, run),
    });
  }
}
