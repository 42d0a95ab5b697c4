/**
 * The catalog of a snapshot, written while its archives are made.
 *
 * @module
 */

import { CatalogWriter } from "#src/pbs/format/catalog_writer.ts";
import { CATALOG_NAME } from "#src/pbs/format/manifest.ts";
import type { IndexedStream, SnapshotWriter } from "#src/pbs/ports.ts";
import type { FinishingWriter } from "#src/pxar/builder/entry_writer.ts";
import type { EntryOffset, PxarContent, PxarSizes } from "#src/pxar/encoder.ts";
import type { PxarMetadata } from "#src/pxar/entry.ts";
import { FileType } from "#src/tree/node.ts";

/** Average chunk size of the catalog's stream. */
const AVERAGE_SIZE = 512 << 10;

/** The catalog of all archives of a snapshot. */
export class SnapshotCatalog {
  readonly #stream: IndexedStream;
  readonly #catalog: CatalogWriter;

  private constructor(stream: IndexedStream) {
    this.#stream = stream;
    this.#catalog = new CatalogWriter((bytes) => stream.write(bytes));
  }

  /** Starts the catalog. */
  static start(writer: SnapshotWriter): SnapshotCatalog {
    return new SnapshotCatalog(
      writer.openDynamic(CATALOG_NAME, { kind: "dynamic", averageSize: AVERAGE_SIZE }),
    );
  }

  /**
   * Records the entries of the archive `file`, which `writer` writes, from its first to its end.
   */
  record(file: string, writer: FinishingWriter): FinishingWriter {
    this.#catalog.startDirectory(file);
    return new CatalogRecorder(writer, this.#catalog);
  }

  /** Ends the catalog and its stream. */
  finish(): void {
    this.#catalog.finish();
    this.#stream.finish();
  }
}

/** Records what goes to a writer. */
class CatalogRecorder implements FinishingWriter {
  readonly #writer: FinishingWriter;
  readonly #catalog: CatalogWriter;

  constructor(writer: FinishingWriter, catalog: CatalogWriter) {
    this.#writer = writer;
    this.#catalog = catalog;
  }

  startDirectory(name: string, metadata: PxarMetadata): void {
    this.#writer.startDirectory(name, metadata);
    this.#catalog.startDirectory(name);
  }

  finishDirectory(): void {
    this.#writer.finishDirectory();
    this.#catalog.endDirectory();
  }

  addFile(
    name: string,
    metadata: PxarMetadata,
    size: number,
    content: PxarContent | Uint8Array,
  ): EntryOffset {
    this.#catalog.addFile(name, size, metadata.mtime.seconds);
    return this.#writer.addFile(name, metadata, size, content);
  }

  addFileFromFd(
    name: string,
    metadata: PxarMetadata,
    size: number,
    fd: number,
    offset: number,
    rest?: (taken: number) => PxarContent,
  ): EntryOffset {
    this.#catalog.addFile(name, size, metadata.mtime.seconds);
    return this.#writer.addFileFromFd(name, metadata, size, fd, offset, rest);
  }

  addSymlink(name: string, metadata: PxarMetadata, target: string): EntryOffset {
    this.#catalog.addLeaf("symlink", name);
    return this.#writer.addSymlink(name, metadata, target);
  }

  addDevice(name: string, metadata: PxarMetadata, major: bigint, minor: bigint): EntryOffset {
    const isBlock = (metadata.mode & FileType.MASK) === FileType.BLOCK_DEVICE;
    this.#catalog.addLeaf(isBlock ? "block-device" : "char-device", name);
    return this.#writer.addDevice(name, metadata, major, minor);
  }

  addFifo(name: string, metadata: PxarMetadata): EntryOffset {
    this.#catalog.addLeaf("fifo", name);
    return this.#writer.addFifo(name, metadata);
  }

  addSocket(name: string, metadata: PxarMetadata): EntryOffset {
    this.#catalog.addLeaf("socket", name);
    return this.#writer.addSocket(name, metadata);
  }

  addHardlink(name: string, targetPath: string, target: EntryOffset): EntryOffset {
    this.#catalog.addLeaf("hardlink", name);
    return this.#writer.addHardlink(name, targetPath, target);
  }

  finish(): PxarSizes | undefined {
    this.#catalog.endDirectory();
    return this.#writer.finish();
  }
}
