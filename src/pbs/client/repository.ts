/**
 * Where backups are kept: a datastore in a local directory, or one of a server.
 *
 *     dir:/path                                            also just an absolute path
 *     [[user@realm[!token]@]host[:port]:]datastore
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { absolutePath } from "#src/io/absolute_path.ts";

/** A parsed repository. */
export type Repository = DirectoryRepository | ServerRepository;

/** A datastore in a local directory. */
export interface DirectoryRepository {
  /** Tells it from a server. */
  readonly kind: "directory";
  /** Absolute. */
  readonly path: string;
}

/** A datastore of a server. */
export interface ServerRepository {
  /** Tells it from a directory. */
  readonly kind: "server";
  /** `user@realm` */
  readonly user: string;
  /** Name of the API token, where one is used. */
  readonly token: string | undefined;
  /** Without the brackets of IPv6 addresses. */
  readonly host: string;
  /** Usually 8007. */
  readonly port: number;
  /** Name of the datastore. */
  readonly store: string;
}

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
    option: "repository",
    hint: "Expected dir:/path or [[user@realm[!token]@]host[:port]:]datastore",
  });
}
