/**
 * One client of a mount under test: makes random calls, and knows by a model what each of them must
 * find.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Errno, OsError } from "#ffi/os_error.ts";
import * as posix from "#tests/support/posix_calls.ts";
import { readAt, readFile } from "#tests/support/posix_files.ts";
import {
  CLIENT_COUNT,
  COMMON_DIRECTORY,
  homesOf,
  JOURNAL_PATH,
  makeChain,
  SHARED_PATH,
  SHARED_SIZE,
  STRIPED_BLOCKS,
  STRIPED_PATH,
  UNTOUCHED_PATH,
} from "#tests/support/property_chain.ts";
import type { OpenFile, Step } from "#tests/support/property_draws.ts";
import { assertKnownBytes, type ByteRange, Model } from "#tests/support/property_model.ts";
import { Random } from "#tests/support/property_random.ts";
import { StepMaker } from "#tests/support/property_steps.ts";

const BLOCK_SIZE = 8192;
const LOG_LENGTH = 80;
/** What calls fail with when the process that serves the mount is gone. */
const GONE: ReadonlySet<number> = new Set([Errno.ENOTCONN, Errno.ECONNABORTED, Errno.EIO]);

/** The bytes of the shared relation that one client may write. Borders are inside of blocks. */
function ownRange(client: number): ByteRange {
  const width = Math.floor(SHARED_SIZE / CLIENT_COUNT);
  const start = client * width + 1 + 100 * client;
  return { start, end: start + width - 20_000 };
}

/** What a client knows of the shared relation: its own bytes, and those that nobody writes. */
function knownOfShared(client: number): ByteRange[] {
  const known = [ownRange(client)];
  for (let other = 0; other < CLIENT_COUNT; other++) {
    const end = other + 1 < CLIENT_COUNT ? ownRange(other + 1).start : SHARED_SIZE;
    known.push({ start: ownRange(other).end, end });
  }
  return known;
}

/** A client's blocks of the striped relation. */
function ownStripes(client: number): ByteRange[] {
  const stripes: ByteRange[] = [];
  for (let block = client; block < STRIPED_BLOCKS; block += CLIENT_COUNT) {
    stripes.push({ start: block * BLOCK_SIZE, end: (block + 1) * BLOCK_SIZE });
  }
  return stripes;
}

/** See the head of the module. */
export class PropertyClient {
  readonly #root: string;
  readonly #client: number;
  readonly #steps: StepMaker;
  readonly #openFiles: OpenFile[] = [];
  readonly #log: string[] = [];
  /** Lines appended to the journal. */
  readonly #lines: string[] = [];
  #model = new Model();
  /** The step that the end of the mount cut short. */
  #doubtful: Step | undefined;

  /** @param readsPastCache also with O_DIRECT, at any offset, which disks do not take */
  constructor(root: string, client: number, seed: number, readsPastCache: boolean) {
    this.#root = root;
    this.#client = client;
    const chain = makeChain(seed);
    const isOwn = (path: string) =>
      homesOf(client).some((home) => path === home || path.startsWith(`${home}/`));
    for (const path of chain.directories) if (isOwn(path)) this.#model.directories.add(path);
    this.#model.directories.add(COMMON_DIRECTORY);
    for (const [path, bytes] of chain.files) if (isOwn(path)) this.#model.add(path, { bytes });
    const outside = (path: string, known?: readonly ByteRange[]) => {
      const bytes = chain.files.get(path);
      if (bytes === undefined) throw new RangeError(`Cannot find "${path}" in the chain`);
      return this.#model.add(path, { bytes, known });
    };
    this.#steps = new StepMaker({
      root,
      random: new Random(seed, 2, client),
      openFiles: this.#openFiles,
      homes: homesOf(client),
      commonPrefix: `${COMMON_DIRECTORY}/c${client}-`,
      shared: { number: outside(SHARED_PATH, knownOfShared(client)), own: ownRange(client) },
      striped: {
        number: outside(STRIPED_PATH, ownStripes(client)),
        stripes: ownStripes(client),
      },
      untouched: outside(UNTOUCHED_PATH),
      readsPastCache,
      journal: {
        path: JOURNAL_PATH,
        nextLine: () =>
          `client ${client} line ${this.#lines.length} ${"x".repeat(this.#lines.length % 90)}`,
        wrote: (line) => this.#lines.push(line),
      },
    });
  }

  /**
   * Makes `count` steps; with `isDoomed` the mount may end at any time, which ends the steps too.
   *
   * @returns the number of steps made
   */
  work(count: number, isDoomed: boolean): number {
    for (let done = 0; done < count; done++) {
      const step = this.#steps.next(this.#model, isDoomed);
      this.#log.push(step.text);
      if (this.#log.length > LOG_LENGTH) this.#log.shift();
      try {
        step.perform();
      } catch (error) {
        if (isDoomed && this.#isGone(error)) {
          this.#doubtful = step;
          return done;
        }
        throw error;
      }
      step.effect?.(this.#model);
    }
    return count;
  }

  #isGone(error: unknown): boolean {
    if (!(error instanceof OsError && GONE.has(error.errno))) return false;
    try {
      posix.statvfs(this.#root);
      return false;
    } catch {
      return true;
    }
  }

  /** The last steps, for a report. */
  get log(): readonly string[] {
    return this.#log;
  }

  /** Closes everything, so that the mount can end. */
  closeFiles(): void {
    for (const file of this.#openFiles.splice(0)) {
      try {
        file.mapping?.unmap();
        posix.close(file.fd);
      } catch (error) {
        // Of a mount that was killed.
        if (!(error instanceof OsError && GONE.has(error.errno))) throw error;
      }
    }
  }

  /**
   * After a remount: finds out whether the step in doubt was made, wholly or in part, and checks
   * everything.
   */
  settle(): void {
    const step = this.#doubtful;
    this.#doubtful = undefined;
    if (step === undefined) return this.verify();
    this.#log.push(`cut short: ${step.text}`);
    this.#settleJournal();
    assert.deepEqual(this.#journalLines(), this.#lines, "lines of the journal");
    const after = this.#model.clone();
    step.effect?.(after);
    const failures: unknown[] = [];
    for (const model of [this.#model, after]) {
      try {
        this.#verify(model);
        this.#model = model;
        return;
      } catch (error) {
        failures.push(error);
      }
    }
    if (step.touched === undefined) {
      throw new AggregateError(failures, "neither the state before the step nor that after it");
    }
    this.#adoptMixture(step.touched, after);
    this.#verify(this.#model);
  }

  /** Takes over a file of which a write was cut short: each byte must be the old or the new one. */
  #adoptMixture(number: number, after: Model): void {
    const path = [...this.#model.names].find(([, each]) => each === number)?.[0];
    // Without a name it is gone with the mount.
    if (path === undefined) return;
    const before = this.#model.file(number);
    const then = after.file(number);
    const found = readFile(`${this.#root}/${path}`);
    const sizes = [before.bytes.length, then.bytes.length].sort((a, b) => a - b);
    assert.ok(
      found.length >= sizes[0]! && found.length <= sizes[1]!,
      `${path}: ${found.length} bytes, neither ${sizes[0]} nor ${sizes[1]}`,
    );
    for (const { start, end } of before.known ?? [{ start: 0, end: found.length }]) {
      for (let at = start; at < end; at++) {
        // Behind the former end there may be nothing yet.
        const old = before.bytes[at] ?? 0;
        if (found[at] === old || found[at] === then.bytes[at]) continue;
        assert.fail(`${path}: byte ${at} is ${found[at]}, neither ${old} nor ${then.bytes[at]}`);
      }
    }
    before.bytes = found;
  }

  /** Compares everything that this client knows. */
  verify(): void {
    this.#verify(this.#model);
    assert.deepEqual(this.#journalLines(), this.#lines, "lines of the journal");
  }

  #verify(model: Model): void {
    for (const directory of model.directories) {
      let names = posix.names(`${this.#root}/${directory}`);
      if (directory === COMMON_DIRECTORY) {
        names = names.filter((name) => name.startsWith(`c${this.#client}-`));
      }
      assert.deepEqual(names, model.children(directory), `entries of ${directory}`);
    }
    for (const [path, number] of model.names) this.#verifyFile(path, number, model);
  }

  #verifyFile(path: string, number: number, model: Model): void {
    const file = model.file(number);
    const status = posix.lstat(`${this.#root}/${path}`);
    assert.equal(status.mode & posix.FileType.MASK, posix.FileType.REGULAR, `${path}: type`);
    assert.equal(status.size, file.bytes.length, `${path}: size`);
    assert.equal(status.nlink, model.linkCount(number), `${path}: number of links`);
    const fd = posix.open(`${this.#root}/${path}`, posix.O.RDONLY);
    try {
      assertKnownBytes(readAt(fd, 0, file.bytes.length + 100), file, 0, path);
    } finally {
      posix.close(fd);
    }
  }

  #journalLines(): string[] {
    return new TextDecoder().decode(readFile(`${this.#root}/${JOURNAL_PATH}`)).split("\n")
      .filter((line) => line.startsWith(`client ${this.#client} `));
  }

  /** A line whose write was cut short may be there or not. */
  #settleJournal(): void {
    const found = this.#journalLines();
    if (found.length !== this.#lines.length + 1) return;
    const last = found.pop();
    assert.deepEqual(found, this.#lines, "lines of the journal");
    this.#lines.push(last!);
  }
}
