/**
 * The catalog that mounts are measured with: pgbench scale 20 in a chain of three zlib-compressed
 * backups.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";

/** Instance of the sample. */
export const SAMPLE_INSTANCE = "main";
/** Its newest backup. */
export const SAMPLE_BACKUP = "TOTXRW";

const UNPACK_TIMEOUT_MS = 300_000;

/**
 * Unpacks a catalog.
 *
 * @param checkout path of the sources, with a slash at its end: the shared sample lies beside them
 * @param archive another catalog than the sample
 * @returns path of the catalog
 */
export async function unpackSample(
  checkout: string,
  directory: string,
  archive = `${checkout}../shared/fixtures/pg_probackup/bench-pgbench20-zlib.tar.zst`,
): Promise<string> {
  await runCommand(["tar", "--zstd", "-xf", archive, "-C", directory], {
    timeoutMs: UNPACK_TIMEOUT_MS,
  });
  const inner = `${directory}/catalog`;
  return await Deno.stat(inner).then(() => inner, () => directory);
}
