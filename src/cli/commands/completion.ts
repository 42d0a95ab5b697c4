/**
 * `pbkfs completion`: prints a completion script for a shell.
 *
 * @module
 */

import { Argument, Command } from "commander";
import type { CommandModule } from "../command.ts";
import { addHelpNotes } from "../help.ts";

interface CompletionOptions {
  readonly args: readonly string[];
}

/** The command. */
export const completionCommand: CommandModule<CompletionOptions> = {
  uses: [],

  describe() {
    const command = new Command("completion")
      .description("Print a completion script")
      .addArgument(
        new Argument("<shell>", "shell to complete for").choices(["bash", "zsh", "fish"]),
      );
    return addHelpNotes(command, {
      examples: [{
        text: "Complete in this bash",
        line: 'eval "$(pbkfs completion bash)"',
      }],
    });
  },

  async run(options, { terminal, program }) {
    const { formatCompletion } = await import("../completion.ts");
    terminal.out(formatCompletion(program, options.args[0] as "bash" | "zsh" | "fish"));
    return 0;
  },
};
