/**
 * The client of a pull: connected to by its name, with commands that it runs before and after.
 *
 * @module
 */

import type { AgentClient } from "#src/agent/agent_client.ts";
import type { ClientPlace } from "#src/agent/client_place.ts";
import { openClient, type OpenClientOptions } from "#src/agent/open_client.ts";
import type { ClientProvider } from "#src/backup/client/provider.ts";
import { ProtocolError } from "#src/errors.ts";

/** Commands that the client runs. */
export interface PullHooks {
  /** Before anything is read; when it fails nothing is. */
  readonly before: string | undefined;
  /** When all has been read, or the backup has failed. */
  readonly after: string | undefined;
  /** Is told when the last one fails. */
  onFailure(message: string): void;
}

const OUTPUT_LENGTH_MAX = 500;

/**
 * Connects, and lets the client run its first command.
 *
 * @throws what `openClient()` throws
 * @throws {ProtocolError} `commands` where it runs none, `command-failed`
 */
export async function connectPullClient(
  places: readonly ClientPlace[],
  options: OpenClientOptions,
  hooks: PullHooks,
): Promise<ClientProvider> {
  const { before, after } = hooks;
  // Nothing is looked at before that command has run.
  const firstDirectory = before === undefined ? places[0]!.path : undefined;
  const client = await openClient(places, { ...options, firstDirectory });
  if (before !== undefined) {
    try {
      await run(client, before);
    } catch (error) {
      await client.close();
      throw error;
    }
  }
  if (after === undefined) return client;
  return {
    capabilities: () => client.capabilities(),
    stat: (path, signal) => client.stat(path, signal),
    readDirectory: (path, signal) => client.readDirectory(path, signal),
    readFile: (path, range, signal) => client.readFile(path, range, signal),
    async close() {
      try {
        await run(client, after);
      } catch (error) {
        hooks.onFailure((error as Error).message);
      } finally {
        await client.close();
      }
    },
  };
}

async function run(client: AgentClient, command: string): Promise<void> {
  const { exitCode, output } = await client.runCommand(command);
  if (exitCode === 0) return;
  const text = new TextDecoder().decode(output).trim().slice(-OUTPUT_LENGTH_MAX);
  const said = text === "" ? "" : `: ${text}`;
  throw new ProtocolError(`"${command}" has ended with ${exitCode} on the client${said}`, {
    code: "command-failed",
  });
}
