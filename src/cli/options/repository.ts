/**
 * Where backups are kept: a datastore in a local directory, or one of a server.
 *
 *     dir:/path                                            also just an absolute path
 *     [[user@realm[!token]@]host[:port]:]datastore
 *
 * @module
 */

import type { Command } from "commander";
import { absolutePath } from "#src/io/absolute_path.ts";
import { UsageError } from "#src/errors.ts";
import type { CommandContext } from "../command.ts";

/** A parsed repository. */
export type Repository = DirectoryRepository | ServerRepository;

/** A datastore in a local directory. */
export interface DirectoryRepository {
  readonly kind: "directory";
  /** Absolute. */
  readonly path: string;
}

/** A datastore of a server. */
export interface ServerRepository {
  readonly kind: "server";
  /** `user@realm` */
  readonly user: string;
  /** Name of the API token, where one is used. */
  readonly token: string | undefined;
  /** Without the brackets of IPv6 addresses. */
  readonly host: string;
  readonly port: number;
  readonly store: string;
}

/** Values of {@link addRepositoryOptions}. */
export interface RepositoryOptions {
  readonly repository?: string;
  readonly serverStore?: string;
}

/** Environment variables of commands that need a repository, for their help. */
export const REPOSITORY_ENVIRONMENT: Readonly<Record<string, string>> = {
  PBS_REPOSITORY: "repository where --repository is not given",
};

const USER_DEFAULT = "root@pam";
const HOST_DEFAULT = "localhost";
const PORT_DEFAULT = 8007;
const PORT_MAX = 65_535;

const NAME = "[A-Za-z0-9_][A-Za-z0-9._-]*";
const USER = `[^\\s:/!\\p{C}]+@${NAME}`;
const LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?";
const HOST = `${LABEL}(?:\\.${LABEL})*|\\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9]+)?\\]`;
const SERVER = new RegExp(
  `^(?:(?:(?<user>${USER})(?:!(?<token>${NAME}))?@)?(?<host>${HOST})(?::(?<port>\\d{1,5}))?:)?(?<store>${NAME})$`,
  "u",
);
const DIRECTORY_PREFIX = "dir:";

/** The options by which commands name the datastore. */
export function addRepositoryOptions(command: Command): Command {
  return command
    .option("--repository <repository>", "datastore: dir:/path; else the value of PBS_REPOSITORY")
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
    hint: "Give it with --repository dir:/path or PBS_REPOSITORY",
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
    `Cannot use "${formatRepository(repository)}": servers are not supported yet`,
    { code: "unsupported", option: "--repository", hint: "Use a local datastore: dir:/path" },
  );
}

/** Parses a repository. @throws {UsageError} */
export function parseRepository(text: string): Repository {
  if (text.startsWith(DIRECTORY_PREFIX)) {
    const path = text.slice(DIRECTORY_PREFIX.length);
    if (path === "") throw invalid(text);
    return { kind: "directory", path: absolutePath(path) };
  }
  if (text.startsWith("/")) return { kind: "directory", path: absolutePath(text) };
  const { user, token, host, port, store } = SERVER.exec(text)?.groups ?? {};
  if (store === undefined) throw invalid(text);
  const portNumber = port === undefined ? PORT_DEFAULT : Number(port);
  if (portNumber < 1 || portNumber > PORT_MAX) throw invalid(text);
  return {
    kind: "server",
    user: user ?? USER_DEFAULT,
    token,
    host: host?.replace(/^\[(.*)\]$/u, "$1") ?? HOST_DEFAULT,
    port: portNumber,
    store,
  };
}

/** A repository as text, with everything that was left out. */
export function formatRepository(repository: Repository): string {
  if (repository.kind === "directory") return `${DIRECTORY_PREFIX}${repository.path}`;
  const { user, token, host, port, store } = repository;
  const login = token === undefined ? user : `${user}!${token}`;
  return `${login}@${host.includes(":") ? `[${host}]` : host}:${port}:${store}`;
}

function invalid(text: string): UsageError {
  return new UsageError(`unable to parse repository url '${text}'`, {
    option: "--repository",
    hint: "Expected dir:/path or [[user@realm[!token]@]host[:port]:]datastore",
  });
}
