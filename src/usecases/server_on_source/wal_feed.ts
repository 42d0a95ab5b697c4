/**
 * WAL for a server that may not read the archive itself: its `restore_command` asks this process
 * for a file, by a FIFO, and finds it in a directory that both have. So nothing is started for each
 * file, and an archive that only its owner may enter stays closed.
 *
 * @module
 */

import { showMessage } from "#src/bytes/quoting.ts";
import { shellWord } from "#src/bytes/shell_word.ts";
import * as host from "#ffi/libc/calls.ts";
import { logger } from "#src/log/logger.ts";
import type { Owner } from "#src/tree/shown_tree.ts";

/** Where WAL comes from. */
export interface WalSource {
  /**
   * Writes a file of the archive, unpacked, to a path.
   *
   * @param name of a segment, or of the history of a timeline
   * @returns false when the archive has no such file
   */
  fetch(name: string, targetPath: string): Promise<boolean>;
}

const FIFO_MODE = 0o010600;
const REQUEST_SIZE_MAX = 4096;
/** Names that a server asks for: segments, histories, and what a backup leaves in an archive. */
const WAL_NAME = /^[0-9A-F]{8}(?:[0-9A-F]{16}(?:\.partial|\.[0-9A-F]{8}\.backup)?|\.history)$/u;

const log = logger("drill");

/** Answers a server until it is disposed of. */
export class WalFeed implements AsyncDisposable {
  /** For the server's setting `restore_command`. */
  readonly command: string;
  readonly #source: WalSource;
  readonly #filePath: string;
  readonly #owner: Owner | undefined;
  readonly #requests: Deno.FsFile;
  readonly #answers: Deno.FsFile;
  readonly #ended: Promise<void>;
  #isEnding = false;

  /**
   * @param path a directory that the server's user may write
   * @param owner that user, where it is not this one
   * @throws {OsError}
   */
  constructor(path: string, source: WalSource, owner: Owner | undefined) {
    const [request, answer, file] = ["request", "answer", "file"].map((name) => `${path}/${name}`);
    this.#source = source;
    this.#filePath = file!;
    this.#owner = owner;
    this.#requests = makeFifo(request!, owner);
    this.#answers = makeFifo(answer!, owner);
    const word = (place: string) => shellWord(place).replaceAll("%", "%%");
    this.command = `echo "%f" > ${word(request!)} && read -r found < ${word(answer!)} && ` +
      `test "$found" = yes && mv ${word(file!)} "%p"`;
    this.#ended = this.#serve();
  }

  async #serve(): Promise<void> {
    const bytes = new Uint8Array(REQUEST_SIZE_MAX);
    for (;;) {
      const count = await this.#requests.read(bytes);
      if (this.#isEnding || count === null) return;
      const name = new TextDecoder().decode(bytes.subarray(0, count)).trimEnd();
      const isThere = await this.#fetch(name);
      await this.#answers.write(new TextEncoder().encode(isThere ? "yes\n" : "no\n"));
    }
  }

  async #fetch(name: string): Promise<boolean> {
    if (!WAL_NAME.test(name)) return false;
    try {
      const isThere = await this.#source.fetch(name, this.#filePath);
      if (isThere && this.#owner !== undefined) {
        const { uid, gid } = this.#owner;
        host.unwrap(host.lchown(this.#filePath, uid, gid), "chown", this.#filePath);
      }
      return isThere;
    } catch (error) {
      // The server goes on without it, or says that it cannot.
      log.error("WAL not read", { name: showMessage(name), error });
      this.failure = error;
      return false;
    }
  }

  /** Why a file of the archive could not be read, where one could not. */
  failure: unknown;

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    // Ends the read that waits.
    this.#requests.writeSync(new TextEncoder().encode("\n"));
    await this.#ended;
    this.#requests.close();
    this.#answers.close();
  }
}

/** Open at both ends, so that opening waits for nobody and nobody's end is the end of it. */
function makeFifo(path: string, owner: Owner | undefined): Deno.FsFile {
  host.unwrap(host.mknodAt(host.At.FDCWD, path, FIFO_MODE, 0), "make FIFO", path);
  if (owner !== undefined) host.unwrap(host.lchown(path, owner.uid, owner.gid), "chown", path);
  return Deno.openSync(path, { read: true, write: true });
}
