/**
 * Hydration: everything that is still only in the lower tree comes into the diff, file by file,
 * while the mount is used.
 *
 * There is no record of how far it is: the diff itself says so. A walk through everything lists
 * what is lacking (`survey.ts`); files that nobody has changed are copied whole
 * (`durable_copies.ts`), others are filled with the blocks that they lack (`block_filler.ts`). When
 * a walk finds nothing, and nothing has moved behind its back, the diff gets its mark
 * (`hydrated_mark.ts`). So it goes on wherever it was, after whatever has ended it. Files that were
 * filled become plain ones as soon as nobody has them open (`closed_files.ts`).
 *
 * It runs in a thread of its own with its own overlay, as those that serve do, and takes the same
 * locks; each for a moment only, and never while it reads the lower tree.
 *
 * @module
 */

import { EntryType } from "#src/bytes/file_type.ts";
import * as host from "#ffi/libc/calls.ts";
import { Failure, OsError } from "#src/errors.ts";
import { NO_WAIT_GATE } from "#src/io/wait_gate.ts";
import { EntrySlot, ROOT_NODE_ID } from "#src/tree/file_system.ts";
import type { FileNode } from "#src/tree/node.ts";
import { OverlayContext } from "../context.ts";
import { CopyUp } from "../copy_up.ts";
import { OverlayCounters } from "../counters.ts";
import { hasSeveralNames } from "../lower_node.ts";
import { Flag } from "../node_flags.ts";
import { NodeTable } from "../node_table.ts";
import { Nodes } from "../nodes.ts";
import { Overlay, type OverlayParts } from "../overlay.ts";
import { BlockFiller } from "./block_filler.ts";
import { ClosedFiles } from "./closed_files.ts";
import { DurableCopies } from "./durable_copies.ts";
import { isHydrated, noteHydrated } from "./hydrated_mark.ts";
import { HydrationState } from "./hydration_state.ts";
import { OwnFiles } from "./own_files.ts";
import { isOfTheFile, type LackingFile, Survey, type SurveyResult } from "./survey.ts";

const { Errno } = host;

/** So much of the disk is left to the writes of others: this share, and no more than this. */
const RESERVE_SHARE = 0.05;
const RESERVE_BYTES_MAX = 256 << 20;

/** How long it waits for space, or for a source that does not answer. */
const RETRY_MS = 1000;

/** How often it looks whether open files were closed. */
const CLOSED_EVERY_MS = 1000;

/** What is left to whoever drives it: it goes on when that has been done. */
export type HydrationStep =
  /** So many bytes were copied. */
  | { readonly bytes: number }
  /** It cannot go on now, and is to be asked again after that time. */
  | { readonly waitMs: number };

/** Is told what a person should know. */
export interface HydrationListener {
  /** A file cannot be read in the source, or not be brought into the diff. Once for each. */
  leftOut?(path: string, error: Failure): void;
  /** It waits: the disk is full, or the source does not answer. */
  paused?(error: Failure): void;
  /** It goes on. */
  resumed?(): void;
  /** The diff has everything. Files that are open may still become plain. */
  hydrated?(): void;
}

/** Hydrates for one thread. */
export class Hydrator {
  readonly #parts: OverlayParts;
  readonly #state: HydrationState;
  readonly #listener: HydrationListener;
  readonly #context: OverlayContext;
  readonly #overlay: Overlay;
  readonly #copyUp: CopyUp;
  readonly #files: OwnFiles;
  readonly #copies: DurableCopies;
  readonly #filler: BlockFiller;
  readonly #closed: ClosedFiles;
  /** Paths of what stays in the source. */
  readonly #leftOut = new Set<string>();

  /**
   * @param now milliseconds since 1970, as the disk's times of changes
   * @throws {OsError} when the diff directory cannot be opened
   */
  constructor(parts: OverlayParts, listener: HydrationListener = {}, now = Date.now) {
    const { lower, diffPath, nonce, shared } = parts;
    this.#parts = parts;
    this.#listener = listener;
    this.#state = new HydrationState(shared.hydration);
    const table = new NodeTable(shared.nodes);
    const counters = new OverlayCounters(shared.counters, parts.worker);
    const context = new OverlayContext(diffPath, lower, nonce, table, counters, undefined, parts);
    this.#context = context;
    this.#overlay = new Overlay(context, shared, NO_WAIT_GATE);
    const nodes = new Nodes(context);
    this.#copyUp = new CopyUp(context, nodes);
    this.#files = new OwnFiles(context, nodes);
    this.#copies = new DurableCopies(
      context,
      this.#copyUp,
      this.#files,
      (slot) => this.#overlay.forget(table.nodeIdOf(slot), 1),
    );
    this.#filler = new BlockFiller(context);
    this.#closed = new ClosedFiles(context, nodes, now);
  }

  /** Gives up what was not placed. */
  close(): void {
    this.#copies.close();
    this.#overlay.close();
  }

  /**
   * Hydrates until everything is in the diff that can be, and has its last form. It holds no lock
   * whenever it yields; who does not go on with it must {@link close} it.
   *
   * @throws {Failure} when it cannot go on
   */
  *run(): Generator<HydrationStep> {
    const { diffPath, nonce } = this.#parts;
    this.#state.enter(isHydrated(diffPath, nonce) ? "waiting" : "running");
    for (const step of this.#run()) {
      if ("bytes" in step && step.bytes > 0) this.#resume();
      yield step;
    }
  }

  *#run(): Generator<HydrationStep> {
    const { wrapped } = this.#state.phase === "waiting"
      ? yield* this.#survey()
      : yield* this.#bringAll();
    if (this.#leftOut.size > 0) return this.#state.enter("incomplete");
    for (let left = wrapped; left.length > 0;) {
      this.#state.enter("waiting");
      left = yield* this.#unwrapClosed(left);
      if (left.length > 0) yield { waitMs: CLOSED_EVERY_MS };
    }
    this.#state.enter("complete");
  }

  /** @returns what the last walk has found: nothing that is lacking but what was left out */
  *#bringAll(): Generator<HydrationStep, SurveyResult> {
    for (;;) {
      const movesBefore = this.#moves();
      const survey = yield* this.#survey();
      const files = survey.files.filter(({ path }) => !this.#leftOut.has(path));
      for (const file of files) yield* this.#hydrate(file);
      yield* this.#placeCopies();
      if (files.length > 0) continue;
      if (this.#leftOut.size > 0) return survey;
      if (this.#moves() !== movesBefore) continue;
      host.unwrap(host.syncfs(this.#context.dataFd), "sync", this.#parts.diffPath);
      noteHydrated(this.#parts.diffPath, this.#parts.nonce);
      this.#listener.hydrated?.();
      return survey;
    }
  }

  /** Makes complete files plain that are closed. @returns those that are not */
  *#unwrapClosed(paths: readonly string[]): Generator<HydrationStep, string[]> {
    const left: string[] = [];
    for (const path of paths) {
      if (!this.#unwrap(path)) left.push(path);
      yield { bytes: 0 };
    }
    return left;
  }

  /** @returns whether there is nothing more to do about it */
  #unwrap(path: string): boolean {
    const nodeId = this.#find(path);
    if (nodeId === 0) return true;
    const slot = this.#context.table.slotOf(nodeId);
    try {
      const fd = this.#files.open(slot);
      if (fd < 0) return true;
      try {
        return this.#closed.unwrap(slot, fd, true) !== "in-use";
      } finally {
        host.close(fd);
      }
    } catch (error) {
      // It is complete as it is.
      if (!(error instanceof Failure)) throw error;
      return !mayPass(error);
    } finally {
      this.#overlay.forget(nodeId, 1);
    }
  }

  /** A name that is being changed has changed before, or changes after. */
  #moves(): number {
    const { table } = this.#context;
    table.lockNamespace();
    const { moves } = table;
    table.unlockNamespace();
    return moves;
  }

  *#survey(): Generator<HydrationStep, SurveyResult> {
    const survey = yield* this.#persistently(() => this.#walk());
    this.#state.setProgress(survey);
    return survey;
  }

  *#walk(): Generator<HydrationStep, SurveyResult> {
    const walk = new Survey({
      context: this.#context,
      overlay: this.#overlay,
      copyUp: this.#copyUp,
      files: this.#files,
      leaveOut: (path, error) => this.#leaveOut(path, error),
    }).run();
    for (;;) {
      const { done, value } = walk.next();
      if (done === true) return value;
      yield { bytes: 0 };
    }
  }

  #leaveOut(path: string, error: Failure): void {
    if (this.#leftOut.has(path)) return;
    this.#leftOut.add(path);
    this.#state.setLeftOut(this.#leftOut.size);
    this.#listener.leftOut?.(path, error);
  }

  /** Brings one file into the diff, whatever has become of it since it was listed. */
  *#hydrate({ path }: LackingFile): Generator<HydrationStep> {
    try {
      yield* this.#persistently(() => this.#hydrateOnce(path));
    } catch (error) {
      if (!isOfTheFile(error)) throw error;
      this.#leaveOut(path, error);
    }
    if (this.#copies.isFull) yield* this.#placeCopies();
  }

  *#hydrateOnce(path: string): Generator<HydrationStep> {
    const nodeId = this.#find(path);
    if (nodeId === 0) return;
    const { table, lower } = this.#context;
    const slot = table.slotOf(nodeId);
    let isForgotten = false;
    try {
      if (table.type(slot) !== EntryType.FILE || table.has(slot, SKIPPED)) return;
      if (!table.has(slot, Flag.UPPER)) {
        const node = lower.nodeById(table.lowerId(slot));
        if (node?.kind !== "file") throw new OsError(Errno.EIO, "read", path);
        if (!hasSeveralNames(node)) {
          this.#requireSpace(node);
          isForgotten = true;
          for (const bytes of this.#copies.copy(slot, node)) yield { bytes };
          return;
        }
        this.#bringUp(slot, path);
      }
      if (table.has(slot, Flag.COPY_UNSYNCED)) this.#settleCopy(slot, path);
      if (table.has(slot, Flag.PARTIAL)) yield* this.#fill(slot, path);
    } finally {
      if (!isForgotten) this.#overlay.forget(nodeId, 1);
    }
  }

  /** Looks a path up. @returns the node, to be forgotten; 0 when there is none */
  #find(path: string): number {
    const entry = new EntrySlot();
    let nodeId = ROOT_NODE_ID;
    for (const name of path.split("/")) {
      const result = this.#overlay.lookup(nodeId, name, entry);
      if (nodeId !== ROOT_NODE_ID) this.#overlay.forget(nodeId, 1);
      if (result < 0 && result !== -Errno.ENOENT && result !== -Errno.ENOTDIR) {
        throw new OsError(-result, "find", path);
      }
      nodeId = result < 0 ? 0 : entry.nodeId;
      if (nodeId === 0) return 0;
    }
    return nodeId;
  }

  #bringUp(slot: number, path: string): void {
    const { table } = this.#context;
    this.#copyUp.fetch(slot);
    table.lockNamespace();
    try {
      host.unwrap(this.#copyUp.ensureUpper(slot), "copy", path);
    } finally {
      table.unlockNamespace();
    }
  }

  #settleCopy(slot: number, path: string): void {
    const { table } = this.#context;
    table.lockNamespace();
    try {
      host.unwrap(this.#copyUp.settleBeforeNaming(slot), "sync", path);
    } finally {
      table.unlockNamespace();
    }
    this.#state.addDone(0, 1);
  }

  *#fill(slot: number, path: string): Generator<HydrationStep> {
    const fd = this.#files.open(slot);
    if (fd === -Errno.ENOENT) return;
    host.unwrap(fd, "open", path);
    try {
      for (let block = 0;;) {
        const run = this.#filler.nextRun(slot, fd, block);
        if (run === undefined) break;
        if (typeof run === "number") throw new OsError(-run, "read", path);
        this.#requireSpace();
        const bytes = host.unwrap(this.#filler.fill(slot, fd, run), "fill", path);
        this.#state.addDone(bytes, 0);
        yield { bytes };
        // Its disk space is freed when nobody has it open any more.
        if (this.#context.table.has(slot, Flag.DELETED)) return;
        block = run.last + 1;
      }
      host.unwrap(this.#filler.settle(slot, fd), "sync", path);
      this.#state.addDone(0, 1);
      this.#closed.unwrap(slot, fd, false);
    } finally {
      host.close(fd);
    }
  }

  *#placeCopies(): Generator<HydrationStep> {
    try {
      this.#place();
    } catch (error) {
      if (!mayPass(error)) throw error;
      yield* this.#pause(error);
    }
  }

  #place(): void {
    try {
      const { files, bytes } = this.#copies.place();
      this.#state.addDone(bytes, files);
    } catch (error) {
      // What was not placed is found by the next walk.
      this.#copies.close();
      throw error;
    }
  }

  /**
   * Does something, and again when it failed for want of space, or since the source does not
   * answer.
   */
  *#persistently<Result>(
    act: () => Generator<HydrationStep, Result>,
  ): Generator<HydrationStep, Result> {
    for (let isAgain = false;; isAgain = true) {
      try {
        const result = yield* act();
        if (isAgain) this.#resume();
        return result;
      } catch (error) {
        if (!mayPass(error)) throw error;
        yield* this.#pause(error);
      }
    }
  }

  *#pause(error: Failure): Generator<HydrationStep> {
    const errno = error instanceof OsError ? error.errno : Errno.EAGAIN;
    if (this.#state.phase !== "paused") this.#listener.paused?.(error);
    this.#state.enter("paused", errno);
    try {
      // It may take long until others join them.
      this.#place();
    } catch (failure) {
      if (!mayPass(failure)) throw failure;
    }
    yield { waitMs: RETRY_MS };
  }

  #resume(): void {
    if (this.#state.phase !== "paused") return;
    this.#state.enter("running");
    this.#listener.resumed?.();
  }

  /** @throws {OsError} ENOSPC when what is left belongs to the writes of others */
  #requireSpace(node?: FileNode): void {
    const space = host.statvfs(this.#context.tmpFd);
    if (typeof space === "number") return;
    const { blocks, blocksAvailable, blockSizeBytes } = space;
    const { size = 0, dataBytes = size } = node?.attributes ?? {};
    const reserve = Math.min(RESERVE_BYTES_MAX, blocks * blockSizeBytes * RESERVE_SHARE);
    const free = blocksAvailable * blockSizeBytes;
    if (free - Math.min(size, dataBytes) < reserve) {
      throw new OsError(Errno.ENOSPC, "copy to", this.#parts.diffPath);
    }
  }
}

/** Files that are none of the diff's, or not for long. */
const SKIPPED = Flag.LIVE | Flag.VOLATILE | Flag.DELETED;

/** Whether the same may work later. */
function mayPass(error: unknown): error is Failure {
  if (error instanceof OsError) {
    return error.errno === Errno.ENOSPC || error.errno === Errno.EDQUOT || error.isTemporary;
  }
  return error instanceof Failure && error.isTemporary;
}
