/**
 * `pbkfs pbs task`: what a server does with a datastore.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandContext, CommandGroup, CommandModule } from "../../command.ts";
import { wholeNumber } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addPlaceOptions, PLACE_ENVIRONMENT, type PlaceOptions } from "../../datastore/store.ts";
import { LOGIN_USES } from "../../datastore/store_uses.ts";
import { serverRepositoryOf } from "../../options/repository.ts";
import {
  addFormatOptions,
  type FormatChoice,
  Output,
  OUTPUT_ENVIRONMENT,
  type RecordTable,
} from "../../output/output.ts";
import { formatBackupTime } from "#src/pbs/format/snapshot_path.ts";
import type { NetworkLink } from "#src/pbs/client/network_link.ts";
import type { ServerTask } from "#src/pbs/client/tasks.ts";
import { showMessage } from "#src/bytes/quoting.ts";

interface TaskOptions extends PlaceOptions {
  readonly args: readonly [string];
}

interface TaskListOptions extends PlaceOptions, FormatChoice {
  readonly all?: boolean;
  readonly limit: string;
}

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 1000;

const TASK_TABLE: RecordTable<ServerTask> = {
  columns: [{ title: "starttime" }, { title: "endtime" }, { title: "upid" }, { title: "status" }],
  row: ({ starttime, endtime, upid, status }) => [
    formatBackupTime(starttime),
    endtime === undefined ? "" : formatBackupTime(endtime),
    showMessage(upid),
    status === undefined ? (endtime === undefined ? "running" : "") : showMessage(status),
  ],
};

const listCommand: CommandModule<TaskListOptions> = {
  uses: LOGIN_USES,

  describe() {
    const command = new Command("list")
      .description("List tasks of a datastore, those that run")
      .option("--all", "also those that have ended")
      .option("--limit <number>", "list at most so many", String(LIMIT_DEFAULT));
    return addHelpNotes(addFormatOptions(addPlaceOptions(command)), {
      examples: [
        {
          text: "What was done lately",
          line: "pbkfs pbs task list --all --limit 10 --repository pbs.example:main",
        },
      ],
      environment: { ...PLACE_ENVIRONMENT, ...OUTPUT_ENVIRONMENT },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { listTasks } = await import("#src/pbs/client/tasks.ts");
    const { withServer } = await import("../../datastore/server.ts");
    const repository = serverRepositoryOf(options, context);
    const limit = wholeNumber(options.limit, "--limit", 1, LIMIT_MAX);
    const { store, host } = repository;
    const filter = { store, limit, isRunning: options.all !== true };
    const tasks = await withServer(
      repository,
      options,
      context,
      (link) => listTasks(link, filter, host),
    );
    output.records(tasks, TASK_TABLE);
    return 0;
  },
};

const logCommand: CommandModule<TaskOptions> = {
  uses: LOGIN_USES,

  describe() {
    const command = new Command("log")
      .description("Show what a task says, to its end")
      .argument("<upid>", "name of the task, as it is listed");
    return addHelpNotes(addPlaceOptions(command), {
      examples: [
        {
          text: "Watch a garbage collection",
          line: "pbkfs pbs task log UPID:… --repository pbs.example:main",
        },
      ],
      environment: PLACE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const { followTask } = await import("#src/pbs/client/tasks.ts");
    await withTask(options, context, (link, upid, server) => {
      const onLine = (text: string) => context.terminal.out(`${showMessage(text)}\n`);
      followTask(link, upid, server, onLine);
    });
    return 0;
  },
};

const stopCommand: CommandModule<TaskOptions> = {
  uses: LOGIN_USES,

  describe() {
    const command = new Command("stop")
      .description("Ask a task to stop")
      .argument("<upid>", "name of the task, as it is listed");
    return addHelpNotes(addPlaceOptions(command), {
      examples: [
        {
          text: "Let the disks rest",
          line: "pbkfs pbs task stop UPID:… --repository pbs.example:main",
        },
      ],
      environment: PLACE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const { stopTask } = await import("#src/pbs/client/tasks.ts");
    await withTask(options, context, stopTask);
    return 0;
  },
};

async function withTask(
  options: TaskOptions,
  context: CommandContext,
  use: (link: NetworkLink, upid: string, server: string) => void,
): Promise<void> {
  const { withServer } = await import("../../datastore/server.ts");
  const repository = serverRepositoryOf(options, context);
  await withServer(
    repository,
    options,
    context,
    (link) => use(link, options.args[0], repository.host),
  );
}

/** The group. */
export const taskGroup: CommandGroup = {
  name: "task",
  commands: [listCommand, logCommand, stopCommand],

  describe() {
    return addHelpNotes(new Command("task").description("Tasks of a server"), {
      examples: [
        { text: "What runs", line: "pbkfs pbs task list --repository pbs.example:main" },
      ],
    });
  },
};
