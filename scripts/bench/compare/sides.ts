/**
 * The sides of a comparison: a plain data directory, and mounts of the same backup by one or two
 * executables.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";
import { BenchMount, type BenchMountOptions } from "../mount/bench_mount.ts";

const COPY_TIMEOUT_MS = 300_000;

/**
 * How a database fills its files, and so how the plain side's are filled: large writes make a
 * faster page cache.
 */
const DATABASE_WRITE_SIZE = 8192;

/** Which column of the table a side is. */
export type SideName = "plain" | "before" | "now";

/** A data directory made new for each measurement. */
export interface Side {
  readonly name: SideName;
  readonly path: string;
  /** Makes the data directory as the backup has it. @returns seconds that a user waits for it */
  open(): Promise<number>;
  /** Process that serves it; undefined for the plain side. */
  workerPid(): Promise<number | undefined>;
  /** Takes it away. */
  close(): Promise<void>;
}

/** A copy on the disk, written as a database writes. */
export class PlainSide implements Side {
  readonly name = "plain";

  /** @param template the same files, which are only read */
  constructor(readonly path: string, readonly template: string) {}

  async open(): Promise<number> {
    const start = performance.now();
    copyByPages(this.template, this.path);
    await runCommand(["chown", "-R", `--reference=${this.template}`, this.path], {
      timeoutMs: COPY_TIMEOUT_MS,
    });
    await runCommand(["sync"], { timeoutMs: COPY_TIMEOUT_MS });
    return (performance.now() - start) / 1000;
  }

  workerPid(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async close(): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** A mount with an empty diff directory. */
export class MountSide implements Side {
  readonly #options: BenchMountOptions;
  readonly #mount: BenchMount;

  constructor(readonly name: SideName, options: BenchMountOptions) {
    this.#options = options;
    this.#mount = new BenchMount(options);
  }

  get path(): string {
    return this.#mount.path;
  }

  open(): Promise<number> {
    return this.#mount.mount();
  }

  workerPid(): Promise<number> {
    return this.#mount.workerPid();
  }

  async close(): Promise<void> {
    await this.#mount.unmount();
    await Deno.remove(this.#options.diffPath, { recursive: true });
  }
}

/** Copies directories, links and files; files by writes of {@link DATABASE_WRITE_SIZE}. */
function copyByPages(from: string, to: string): void {
  Deno.mkdirSync(to, { mode: Deno.statSync(from).mode! & 0o7777 });
  for (const entry of Deno.readDirSync(from)) {
    const [source, target] = [`${from}/${entry.name}`, `${to}/${entry.name}`];
    if (entry.isDirectory) copyByPages(source, target);
    else if (entry.isSymlink) Deno.symlinkSync(Deno.readLinkSync(source), target);
    else copyFileByPages(source, target);
  }
}

function copyFileByPages(source: string, target: string): void {
  using input = Deno.openSync(source);
  const { mode } = input.statSync();
  using output = Deno.openSync(target, { write: true, createNew: true, mode: mode! & 0o7777 });
  const page = new Uint8Array(DATABASE_WRITE_SIZE);
  for (let size = input.readSync(page); size !== null; size = input.readSync(page)) {
    let written = 0;
    while (written < size) written += output.writeSync(page.subarray(written, size));
  }
}
