/**
 * The catalog of a snapshot, written while its archives are made.
 *
 * @module
 */

import { CatalogWriter } from "#src/pbs/format/catalog_writer.ts";
import { CATALOG_NAME } from "#src/pbs/format/manifest.ts";
import type { IndexedStream, SnapshotWriter } from "#src/pbs/ports.ts";
import type { EntryOffset, EntryWriter, NewEntry, PxarSizes } from "#src/pxar/new_entry.ts";
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
  record(file: string, writer: EntryWriter): EntryWriter {
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
class CatalogRecorder implements EntryWriter {
  readonly #writer: EntryWriter;
  readonly #catalog: CatalogWriter;

  constructor(writer: EntryWriter, catalog: CatalogWriter) {
    this.#writer = writer;
    this.#catalog = catalog;
  }

  add(name: string, entry: NewEntry): EntryOffset {
    const catalog = this.#catalog;
    if (entry.kind === "directory") catalog.startDirectory(name);
    else if (entry.kind === "file" || entry.kind === "reference") {
      catalog.addFile(name, entry.size, entry.metadata.mtime.seconds);
    } else if (entry.kind === "device") {
      const isBlock = (entry.metadata.mode & FileType.MASK) === FileType.BLOCK_DEVICE;
      catalog.addLeaf(isBlock ? "block-device" : "char-device", name);
    } else catalog.addLeaf(entry.kind, name);
    return this.#writer.add(name, entry);
  }

  finishDirectory(): void {
    this.#writer.finishDirectory();
    this.#catalog.endDirectory();
  }

  finish(): PxarSizes | undefined {
    this.#catalog.endDirectory();
    return this.#writer.finish();
  }
}
