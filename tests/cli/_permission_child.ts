/**
 * Runs the program with a command in whose place something hostile is: prints what that can still
 * do when the command begins.
 *
 *     COMMAND PORT FILE [ARGUMENTS]
 */

import { runProgram } from "#src/cli/run.ts";
import { spawnNetworkThread } from "#src/usecases/threads.ts";
import { openWays } from "#tests/support/hostile_probe.ts";
import { allCommands } from "./_commands.ts";

function countThreads(): number {
  for (let count = 0;; count++) {
    try {
      spawnNetworkThread();
    } catch {
      return count;
    }
  }
}

const [name, port, file, ...words] = Deno.args;
const { module } = allCommands().find((command) => command.name === name)!;
module.run = async () => {
  const ways = await openWays({ port: Number(port), file: file! });
  console.log(JSON.stringify({ ways, threadCount: countThreads() }));
  return 0;
};
const values = module.describe().registeredArguments
  .filter(({ required }) => required)
  .map(({ argChoices }) => argChoices?.[0] ?? "x/y");
Deno.exit(await runProgram([...name!.split(" "), ...(words.length > 0 ? words : values)]));
