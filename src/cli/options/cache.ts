/**
 * `--cache-dir`: where chunks of a server are kept that were read.
 *
 * @module
 */

import type { Command } from "commander";
import { absolutePath } from "#src/io/absolute_path.ts";
import type { ChunkDiskCacheAddress } from "#src/pbs/client/chunk_disk_cache.ts";
import { UsageError } from "#src/errors.ts";
import { parseByteCount } from "./byte_count.ts";

const SIZE_DEFAULT = "10GiB";

/** Values of {@link addCacheOptions}. */
export interface CacheFlags {
  readonly cacheDir?: string;
  readonly cacheSize?: string;
}

/** The options of commands that read chunks. */
export function addCacheOptions(command: Command): Command {
  return command
    .option("--cache-dir <path>", "keep chunks of a server there that were read, for later runs")
    .option("--cache-size <bytes>", `at most so many; default is ${SIZE_DEFAULT}`);
}

/** What the options say. @throws {UsageError} */
export function cacheOf({ cacheDir, cacheSize }: CacheFlags): ChunkDiskCacheAddress | undefined {
  if (cacheDir !== undefined) {
    const budgetBytes = parseByteCount(cacheSize ?? SIZE_DEFAULT, "--cache-size");
    return { path: absolutePath(cacheDir), budgetBytes };
  }
  if (cacheSize === undefined) return undefined;
  throw new UsageError("Cannot use --cache-size without --cache-dir", { option: "--cache-size" });
}
