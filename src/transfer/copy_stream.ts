/**
 * Copies from an archive that can only be read in order, such as one that comes through a pipe.
 *
 * @module
 */

import { FormatError, UsageError } from "#src/errors.ts";
import type { PxarDecoder, PxarEntryEvent } from "#src/pxar/decoder.ts";
import type { PxarEntry, PxarHardlink } from "#src/pxar/entry.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import type { EntryWriter } from "#src/pxar/new_entry.ts";
import type { TransferProgress } from "./write_tree.ts";
import { faultingDuplicates, type TreeWriter } from "./writer.ts";

/** What of a stream is copied. */
export interface StreamCopyOptions {
  /**
   * Chooses entries; everything unless given. A chosen directory brings all that is in it;
   * directories that lead to something chosen are copied by themselves.
   */
  readonly select?: (path: string, entry: PxarEntry | PxarHardlink) => boolean;
  /** Hears how far the copy is. */
  readonly progress?: TransferProgress;
}

/** A directory the stream is in. */
interface StreamDirectory {
  readonly name: string;
  readonly path: string;
  readonly metadata: Metadata;
  /** Whether everything in it is copied. */
  readonly isChosen: boolean;
  /** Whether the writer has heard of it. */
  isWritten: boolean;
}

/**
 * Copies in one pass and in the order of the stream, so names and places stay as they are.
 *
 * @throws {FormatError} when the archive is broken
 * @throws {UsageError} `needs-random-access` when a link is chosen and the file it stands for is
 *   not: that has gone by
 */
export function copyStream(
  decoder: PxarDecoder,
  writer: TreeWriter,
  options: StreamCopyOptions = {},
): void {
  faultingDuplicates(() => new StreamCopy(decoder, writer, options).run());
}

class StreamCopy {
  readonly #decoder: PxarDecoder;
  readonly #target: TreeWriter;
  readonly #options: StreamCopyOptions;
  readonly #directories: StreamDirectory[] = [];
  /** Files written, by their offset in the stream. */
  readonly #written = new Map<number, { readonly path: string; readonly reference: number }>();
  #prelude: Uint8Array | undefined;
  /** There from the root on, with which every archive begins. */
  #started: EntryWriter | undefined;

  constructor(decoder: PxarDecoder, target: TreeWriter, options: StreamCopyOptions) {
    this.#decoder = decoder;
    this.#target = target;
    this.#options = options;
  }

  run(): void {
    while (true) {
      const event = this.#decoder.next();
      if (event === undefined) break;
      if (event.type === "prelude") this.#prelude = event.bytes;
      else if (event.type === "entry") this.#enter(event);
      else if (event.type === "leave") this.#leave();
    }
    this.#writer.finish();
  }

  get #writer(): EntryWriter {
    return this.#started!;
  }

  #enter(event: PxarEntryEvent): void {
    const { path, name, entry } = event;
    const isChosen = this.#directories.at(-1)?.isChosen === true ||
      this.#options.select === undefined || this.#options.select(path, entry);
    if (entry.kind === "directory") {
      const { metadata } = entry;
      this.#directories.push({ name, path, metadata, isChosen, isWritten: false });
      if (isChosen || path === "/") this.#writeDirectories();
    } else if (isChosen) {
      this.#writeDirectories();
      this.#write(event, entry);
      const size = entry.kind === "file" ? entry.payload.size : 0;
      this.#options.progress?.entry?.(path, entry.kind, size);
    }
  }

  #leave(): void {
    const directory = this.#directories.pop()!;
    if (directory.isWritten && directory.path !== "/") this.#writer.finishDirectory();
  }

  /** Directories on the way are written as soon as something in them is. */
  #writeDirectories(): void {
    for (const directory of this.#directories) {
      if (directory.isWritten) continue;
      directory.isWritten = true;
      const { name, path, metadata } = directory;
      if (path === "/") this.#started = this.#target.startRoot(metadata, this.#prelude);
      else this.#writer.add(name, { kind: "directory", metadata });
      this.#options.progress?.entry?.(directory.path, "directory", 0);
    }
  }

  #write(
    { name, path, offset }: PxarEntryEvent,
    entry: Exclude<PxarEntryEvent["entry"], { kind: "directory" }>,
  ): void {
    if (entry.kind === "hardlink") this.#writeLink(name, path, offset, entry);
    else if (entry.kind === "file") {
      const { metadata, payload: { size } } = entry;
      const open = () => ({ readAt: (target: Uint8Array) => this.#readContent(target) });
      const reference = this.#writer.add(name, { kind: "file", metadata, size, open });
      this.#written.set(offset, { path, reference });
    } else this.#writer.add(name, entry);
  }

  #readContent(target: Uint8Array): number {
    const count = this.#decoder.readContent(target);
    this.#options.progress?.bytes?.(count);
    return count;
  }

  #writeLink(name: string, path: string, offset: number, link: PxarHardlink): void {
    const target = this.#written.get(offset - Number(link.distance));
    if (target !== undefined) {
      const targetPath = target.path.slice(1);
      this.#writer.add(name, { kind: "hardlink", targetPath, target: target.reference });
    } else if (this.#options.select === undefined) {
      throw new FormatError(
        `Cannot copy hard link "${path}": no file begins ${link.distance} bytes before it`,
        { code: "bad-hardlink", offset },
      );
    } else {
      throw new UsageError(
        `Cannot copy hard link "${path}" from a stream: its file "/${link.targetPath}" is not copied`,
        {
          code: "needs-random-access",
          hint: "Select the file too, or read the archive from a file",
        },
      );
    }
  }
}
