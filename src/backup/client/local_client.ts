/**
 * A client in this process.
 *
 * @module
 */

import type { FileSystemAccessor } from "./file_system_accessor.ts";
import type {
  ClientCapabilities,
  ClientEntry,
  ClientFile,
  ClientPage,
  ClientProvider,
  ContentPiece,
  ContentRange,
} from "./provider.ts";

/** Answers with what an accessor says. */
export class LocalClient implements ClientProvider {
  readonly #accessor: FileSystemAccessor;
  /** See {@link ClientProvider.capabilities}. */
  readonly capabilities?: () => Promise<ClientCapabilities>;

  /** The accessor is closed with the client. */
  constructor(accessor: FileSystemAccessor) {
    this.#accessor = accessor;
    if (accessor.capabilities === undefined) return;
    this.capabilities = () => Promise.try(() => accessor.capabilities!());
  }

  /** See {@link ClientProvider.stat}. */
  stat(path: string): Promise<ClientEntry> {
    return Promise.try(() => this.#accessor.stat(path));
  }

  /** See {@link ClientProvider.readDirectory}. */
  async *readDirectory(path: string): AsyncGenerator<ClientPage> {
    yield* this.#accessor.readDirectory(path);
  }

  /** See {@link ClientProvider.readFile}. */
  async readFile(path: string, range: ContentRange): Promise<ClientFile> {
    const { entry, content } = await Promise.try(() => this.#accessor.readFile(path, range));
    return { entry, content: copied(content), givesAway: true };
  }

  /** See {@link ClientProvider.close}. */
  close(): void {
    this.#accessor.close?.();
  }
}

/** Pieces whose bytes stay as they are. */
async function* copied(content: Iterable<ContentPiece>): AsyncGenerator<ContentPiece> {
  for (const piece of content) yield piece instanceof Uint8Array ? piece.slice() : piece;
}
