/**
 * The snapshot that a command reads, and the key for it.
 *
 * @module
 */

import type { Command } from "commander";
import type { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import type { SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import type { SnapshotReader, SnapshotStore } from "#src/pbs/ports.ts";
import type { CommandContext } from "../command.ts";
import { spawnThread } from "#src/usecases/threads.ts";
import { addCacheOptions, type CacheFlags } from "../options/cache.ts";
import { readCryptConfig } from "../keys/crypt.ts";
import { addKeyOptions, type KeyOptions } from "../keys/key_choice.ts";
import {
  addStoreOptions,
  namespaceOf,
  parseTarget,
  snapshotOf,
  type StoreOptions,
  withStore,
} from "./store.ts";

/** Values of {@link addSnapshotOptions}. */
export interface SnapshotOptions extends StoreOptions, KeyOptions, CacheFlags {
  /**
   * Set by a command that reads only what needs no key: then none is used but one that was named.
   */
  readonly isKeyOptional?: boolean;
}

/** Adds what says where a snapshot is and which key it needs. */
export function addSnapshotOptions(command: Command): Command {
  return addCacheOptions(addKeyOptions(addStoreOptions(command)));
}

/** A snapshot that was found, and its key. */
export interface FoundSnapshot {
  readonly id: SnapshotId;
  /** Undefined where the snapshot needs none. */
  readonly crypt: CryptConfig | undefined;
}

/**
 * Finds the snapshot `text`, of a group the last one, and loads the key for it.
 *
 * @throws {StateError} `not-found`
 * @throws {AuthError} when the key cannot be unlocked
 * @throws {UsageError}
 */
export async function findSnapshot(
  store: SnapshotStore,
  text: string,
  options: SnapshotOptions,
  context: CommandContext,
): Promise<FoundSnapshot> {
  const id = snapshotOf(store, parseTarget(text, namespaceOf(options, context)));
  return { id, crypt: await chooseKey(store, id, options, context) };
}

/**
 * Opens what {@link findSnapshot} finds. The caller closes it. @throws what opening a snapshot
 * throws
 */
export async function openFoundSnapshot(
  store: SnapshotStore,
  text: string,
  options: SnapshotOptions,
  context: CommandContext,
): Promise<SnapshotReader> {
  const { id, crypt } = await findSnapshot(store, text, options, context);
  return store.openSnapshot(id, {
    crypt,
    isKeyOptional: options.isKeyOptional === true,
    readAhead: navigator.hardwareConcurrency > 1 ? { spawn: spawnThread } : undefined,
  });
}

/**
 * Opens the snapshot `text`, does something with it and closes it.
 *
 * @throws what opening a snapshot throws
 */
export async function withSnapshot<Result>(
  text: string,
  options: SnapshotOptions,
  context: CommandContext,
  use: (snapshot: SnapshotReader) => Result | Promise<Result>,
): Promise<Result> {
  return await withStore(options, context, "read", async (store) => {
    const snapshot = await openFoundSnapshot(store, text, options, context);
    try {
      return await use(snapshot);
    } finally {
      snapshot.close();
    }
  });
}

/**
 * The key that was named; that at the default place only where the snapshot was made with one, so
 * that nobody is asked in vain.
 */
async function chooseKey(
  store: SnapshotStore,
  id: SnapshotId,
  options: SnapshotOptions,
  context: CommandContext,
): Promise<CryptConfig | undefined> {
  const isGiven = options.keyfile !== undefined || options.keyfd !== undefined;
  const isWanted = isGiven ||
    options.isKeyOptional !== true && store.snapshotInfo(id).keyFingerprint !== undefined;
  return isWanted ? await readCryptConfig(options, context) : undefined;
}
