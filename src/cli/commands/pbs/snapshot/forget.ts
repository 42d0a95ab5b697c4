/**
 * `pbkfs pbs forget`, also `pbkfs pbs snapshot forget` and `pbkfs pbs group forget`: removes
 * snapshots.
 *
 * @module
 */

import { Command } from "commander";
import { Failure, UsageError } from "#src/errors.ts";
import { parseGroup, qualifiedName } from "#src/pbs/format/snapshot_path.ts";
import type { CommandModule } from "../../../command.ts";
import { addHelpNotes } from "../../../help.ts";
import { addFormatOptions, type FormatChoice, Output } from "../../../output/output.ts";
import {
  addStoreOptions,
  namespaceOf,
  parseTarget,
  STORE_ENVIRONMENT,
  type StoreOptions,
  withStore,
} from "../../../datastore/store.ts";
import { partialError } from "../../../output/problem_output.ts";
import { STORE_USES } from "../../../datastore/store_uses.ts";

interface ForgetOptions extends StoreOptions, FormatChoice {
  readonly args: readonly string[];
}

/** Removes snapshots; `words` is how the command is called. */
export function forgetCommand(words: string): CommandModule<ForgetOptions> {
  return {
    uses: STORE_USES,

    describe() {
      const command = new Command("forget")
        .description("Remove snapshots; their chunks go with the next garbage collection")
        .argument("<snapshot...>", "snapshots");
      return addHelpNotes(addFormatOptions(addStoreOptions(command)), {
        examples: [{
          text: "Remove a snapshot",
          line: `pbkfs ${words} host/db1/2024-01-10T10:00:00Z`,
        }],
        environment: STORE_ENVIRONMENT,
        exitStatus: { 1: "Failure, or one of several stayed: the reason is on standard error." },
      });
    },

    async run(options, context) {
      const output = new Output(options, context);
      const ns = namespaceOf(options, context);
      const snapshots = options.args.map((name) => {
        const target = parseTarget(name, ns);
        if (target.kind === "snapshot") return target.snapshot;
        throw new UsageError(`Cannot remove "${name}": it is a group, not a snapshot`, {
          hint: `All its snapshots at once: pbkfs pbs group forget ${name}`,
        });
      });
      const removed: string[] = [];
      await withStore(options, context, "write", (store) => {
        for (const [index, snapshot] of snapshots.entries()) {
          const name = options.args[index]!;
          try {
            store.forget(snapshot);
            removed.push(name);
          } catch (error) {
            // One of several is no reason to keep the others.
            if (snapshots.length === 1 || !(error instanceof Failure)) throw error;
            output.problem(name, error);
          }
        }
      });
      output.summary({ removed });
      const left = snapshots.length - removed.length;
      if (left > 0) throw partialError(left, "removed");
      return 0;
    },
  };
}

/** Removes a group with all its snapshots. */
export const forgetGroupCommand: CommandModule<ForgetOptions> = {
  uses: STORE_USES,

  describe() {
    const command = new Command("forget")
      .description("Remove a group with all its snapshots; protected ones and those in use stay")
      .argument("<group>", "group");
    return addHelpNotes(addFormatOptions(addStoreOptions(command)), {
      examples: [{ text: "Remove a group", line: "pbkfs pbs group forget host/db1" }],
      environment: STORE_ENVIRONMENT,
      exitStatus: { 1: "Failure, or something stayed: the reason is on standard error." },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const group = parseGroup(options.args[0]!, namespaceOf(options, context));
    const left = await withStore(
      options,
      context,
      "write",
      (store) => store.forgetGroup(group),
    );
    for (const { id, reason } of left) output.problem(qualifiedName(id), reason);
    output.summary({ group: qualifiedName(group), kept: left.map(({ id }) => qualifiedName(id)) });
    if (left.length > 0) throw partialError(left.length, "removed");
    return 0;
  },
};
