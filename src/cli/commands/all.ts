/**
 * All commands of the program.
 *
 * @module
 */

import type { CommandModule, ProgramGroup } from "../command.ts";
import { agentCommand } from "./agent/agent.ts";
import { branchGroup } from "./branch/commands.ts";
import { cleanupCommand } from "./cleanup.ts";
import { commitCommand } from "./commit.ts";
import { completionCommand } from "./completion.ts";
import { copyCommand } from "./copy.ts";
import { hydrateGroup } from "./hydrate/commands.ts";
import { infoCommand } from "./info.ts";
import { mountCommand } from "./mount.ts";
import { pbsGroup } from "./pbs/commands.ts";
import { pxarGroup } from "./pxar/commands.ts";
import { promoteCommand } from "./promote.ts";
import { drillCommand } from "./drill.ts";
import { runCommand } from "./run.ts";
import { restoreSourceCommand } from "./restore.ts";
import { showCommand } from "./show.ts";
import { sourceVerbs } from "./source/entries.ts";
import { statCommand } from "./stat.ts";
import { unmountCommand } from "./unmount.ts";
import { walGroup } from "./wal/commands.ts";

/** Those that are in no group. */
export const COMMANDS: readonly CommandModule<never>[] = [
  mountCommand,
  unmountCommand,
  statCommand,
  cleanupCommand,
  showCommand,
  runCommand,
  restoreSourceCommand,
  promoteCommand,
  infoCommand,
  ...sourceVerbs,
  copyCommand,
  drillCommand,
  commitCommand,
  agentCommand,
  completionCommand,
];

/** Each is also a program of its own when the executable is called by its name. */
export const GROUPS: readonly ProgramGroup[] = [
  pxarGroup,
  pbsGroup,
  branchGroup,
  hydrateGroup,
  walGroup,
];
