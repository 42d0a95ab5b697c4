/**
 * One file of an archive written into a device or FIFO.
 *
 * @module
 */

import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { UsageError } from "#src/errors.ts";
import type { EntryContent, ExtractTarget } from "#src/pxar/extractor/extract_target.ts";
import { RESTORE_ALL, type RestoreFeatures } from "#src/pxar/extractor/options.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import type { FileSink } from "#src/io/streams.ts";

const BUFFER_SIZE = 1 << 20;

/** Takes the content of one file, and leaves the metadata of where it goes alone. */
export class SpecialTarget implements ExtractTarget {
  readonly features: RestoreFeatures = RESTORE_ALL;
  readonly #file: FileSink;
  #isFinished = false;

  constructor(file: FileSink) {
    this.#file = file;
  }

  createFile(_name: string, _path: string, _metadata: Metadata, content: EntryContent): void {
    const buffer = plainBuffer(BUFFER_SIZE);
    for (let done = 0; done < content.size;) {
      const count = content.read(buffer, 0, Math.min(BUFFER_SIZE, content.size - done));
      this.#file.write(buffer.bytes.subarray(0, count));
      done += count;
    }
    this.#isFinished = true;
    this.#file.finish();
  }

  leaveDirectory(): void {}

  enterDirectory(): void {
    this.#refuse();
  }

  removeFile(): void {
    this.#refuse();
  }

  createSymlink(): void {
    this.#refuse();
  }

  createSpecial(): void {
    this.#refuse();
  }

  createHardlink(): void {
    this.#refuse();
  }

  close(): void {
    if (!this.#isFinished) this.#file.abort();
  }

  #refuse(): never {
    throw new UsageError("Only the content of a file is written into a device or FIFO");
  }
}
