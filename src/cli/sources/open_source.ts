/**
 * How commands open what a name on the command line names.
 *
 * @module
 */

import type { OpenSourceOptions, Source, SourceSummary } from "#src/sources/source.ts";
import type { CommandContext } from "../command.ts";
import type { SourceOptions } from "./source_options.ts";

/**
 * Opens a source, to be read in this thread. A command that calls this has the options of
 * `addSourceOptions()` and the uses of `usesOfSources()`.
 *
 * @throws what `openSource()` throws: a name that says too little or is mistyped, with what there
 *   is in its hint
 */
export async function openCommandSource(
  text: string,
  options: SourceOptions,
  context: CommandContext,
  more: Pick<OpenSourceOptions, "threadCount" | "force" | "lock"> = {},
): Promise<Source> {
  const { openSource } = await import("#src/sources/registry.ts");
  const { spawnThread } = await import("#src/usecases/threads.ts");
  const { commandCredentials } = await import("./credentials.ts");
  return await openSource(text, {
    credentials: commandCredentials(options, context),
    countsLinks: false,
    spawn: spawnThread,
    ...more,
  });
}

/**
 * What there is where a name leads to several sources; undefined where it names one.
 *
 * @throws what `listSources()` throws
 */
export async function listCommandSources(
  text: string,
  options: SourceOptions,
  context: CommandContext,
): Promise<SourceSummary[] | undefined> {
  const { listSources } = await import("#src/sources/registry.ts");
  const { commandCredentials } = await import("./credentials.ts");
  return await listSources(text, { credentials: commandCredentials(options, context) });
}
