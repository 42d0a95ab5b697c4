/**
 * WAL for a server that may not read the archive itself: its `restore_command` asks this process
 * for a file, by a FIFO, and finds it in a directory that both have. So nothing is started for each
 * file, and an archive that only its owner may enter stays closed.
 *
 * @module
 */

import { shellWord } from "#src/bytes/shell_word.ts";
import * as host from "#ffi/libc/calls.ts";
import type { Owner } from "#src/tree/attribute_override_tree.ts";

/** Where WAL comes from. */
export interface WalSource {
  /**
   * Writes a file of the archive, unpacked, to a path.
   *
   * @param name of a segment, or of the history of a timeline
   * @returns false when the archive has no such file
   * @throws what is wrong with a file that is there
   */
  fetch(name: string, targetPath: string): boolean;
}

const FIFO_MODE = 0o010600;
const REQUEST_SIZE_MAX = 4096;
/** Names that a server asks for: segments, histories, and what a backup leaves in an archive. */
const WAL_NAME = /^[0-9A-F]{8}(?:[0-9A-F]{16}(?:\.partial|\.[0-9A-F]{8}\.backup)?|\.history)$/u;

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
    // For the server 1 is the end of the archive, which it goes on from; 126 is the end of it.
    this.command =
      `echo "%f" > ${word(request!)} && read -r found < ${word(answer!)} || exit 126; ` +
      `case "$found" in yes) mv ${word(file!)} "%p" || exit 126;; no) exit 1;; *) exit 126;; esac`;
    this.#ended = this.#serve();
  }

  async #serve(): Promise<void> {
    const bytes = new Uint8Array(REQUEST_SIZE_MAX);
    for (;;) {
      const count = await this.#requests.read(bytes);
      if (this.#isEnding || count === null) return;
      const name = new TextDecoder().decode(bytes.subarray(0, count)).trimEnd();
      await this.#answers.write(new TextEncoder().encode(`${this.#fetch(name)}\n`));
    }
  }

  #fetch(name: string): "yes" | "no" | "damaged" {
    try {
      // Whatever else a server may ask for, an archive does not have it.
      if (!WAL_NAME.test(name) || !this.#source.fetch(name, this.#filePath)) return "no";
      if (this.#owner !== undefined) {
        const { uid, gid } = this.#owner;
        host.unwrap(host.lchown(this.#filePath, uid, gid), "chown", this.#filePath);
      }
      return "yes";
    } catch (error) {
      this.failure = error;
      return "damaged";
    }
  }

  /** Why a file of the archive could not be given, where one could not: the server has ended. */
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
