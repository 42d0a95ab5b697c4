/**
 * The datastore that the command line or the environment names.
 *
 * @module
 */

import type { Command } from "commander";
import { UsageError } from "#src/errors.ts";
import {
  formatRepository,
  parseRepository,
  type Repository,
  type ServerRepository,
} from "#src/pbs/client/repository.ts";
import type { CommandContext } from "../command.ts";

/** Values of {@link addRepositoryOptions}. */
export interface RepositoryOptions {
  readonly repository?: string;
  readonly serverStore?: string;
}

/** Environment variables of commands that need a repository, for their help. */
export const REPOSITORY_ENVIRONMENT: Readonly<Record<string, string>> = {
  PBS_REPOSITORY: "repository where --repository is not given",
};

/** The options by which commands name the datastore. */
export function addRepositoryOptions(command: Command): Command {
  return command
    .option(
      "--repository <repository>",
      "datastore: dir:/path, or user@realm@host:port:name; else the value of PBS_REPOSITORY",
    )
    .option(
      "--server-store <name>",
      "name under which a server on this machine serves the same directory, to take its locks too",
    );
}

/**
 * The repository of the command line or the environment.
 *
 * @throws {UsageError} when neither names one, or it cannot be parsed
 */
export function repositoryOf(options: RepositoryOptions, context: CommandContext): Repository {
  const text = options.repository ?? context.environment("PBS_REPOSITORY");
  if (text !== undefined && text !== "") return parseRepository(text);
  throw new UsageError("unable to get (default) repository", {
    option: "--repository",
    hint:
      "Give it with --repository dir:/path, --repository user@realm@host:name or PBS_REPOSITORY",
  });
}

/**
 * The server that the command line or the environment names.
 *
 * @throws {UsageError} when neither names one
 */
export function serverRepositoryOf(
  options: RepositoryOptions,
  context: CommandContext,
): ServerRepository {
  const repository = repositoryOf(options, context);
  if (repository.kind === "server") return repository;
  throw new UsageError(`"${formatRepository(repository)}" is not on a server`, {
    option: "--repository",
    hint: "Expected [[user@realm[!token]@]host[:port]:]datastore",
  });
}

/**
 * Directory of the datastore of the command line or the environment.
 *
 * @throws {UsageError} when there is none, or it is that of a server (`unsupported`)
 */
export function datastorePath(options: RepositoryOptions, context: CommandContext): string {
  const repository = repositoryOf(options, context);
  if (repository.kind === "directory") return repository.path;
  throw new UsageError(
    `Cannot use "${formatRepository(repository)}": this needs a datastore on this machine`,
    { code: "unsupported", option: "--repository", hint: "Use a local datastore: dir:/path" },
  );
}
