/**
 * What a server is told, by its command line and by a file with a line for each option:
 *
 *     # comments
 *     listen = 127.0.0.1:8007
 *     datastore = main=/srv/store
 *     datastore = archive=/mnt/archive
 *
 * The command line counts more; datastores of both are served.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { isStoreName } from "#src/pbs/server/access/privileges.ts";

/** Texts as they are given. */
export interface ServeOptions {
  readonly listen?: string | undefined;
  readonly datastore?: readonly string[] | undefined;
  readonly stateDir?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly metrics?: string | undefined;
  readonly accessLog?: string | undefined;
  readonly grace?: string | undefined;
}

/** An address to listen on. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** What they mean. */
export interface ServerSettings {
  readonly listen: ListenAddress;
  readonly stores: readonly { readonly name: string; readonly path: string }[];
  /** Folder of users, keys and tasks. */
  readonly folder: string;
  /** Files of a certificate and its key; undefined: one that the server makes. */
  readonly certificate: { readonly certPath: string; readonly keyPath: string } | undefined;
  readonly metrics: ListenAddress | undefined;
  /** File that requests are written to; undefined: standard output. */
  readonly accessLog: string | undefined;
  /** How long running backups may go on when the server is to end. */
  readonly graceSeconds: number;
}

/** Where a server listens that is told nothing else: on this machine only. */
export const LISTEN_DEFAULT = "127.0.0.1:8007";
/** Folder of a server that is told no other. */
export const STATE_DIR_DEFAULT = "/var/lib/pbkfs-server";
/** Seconds. */
export const GRACE_DEFAULT = "60";

const FILE_SIZE_MAX = 1 << 20;
const GRACE_MAX = 86_400;
const NAMES: Readonly<Record<string, Exclude<keyof ServeOptions, "datastore">>> = {
  "listen": "listen",
  "state-dir": "stateDir",
  "cert": "cert",
  "key": "key",
  "metrics": "metrics",
  "access-log": "accessLog",
  "grace": "grace",
};

/** Reads a file of options. @throws {UsageError | OsError | LimitError} */
export function readServerOptions(path: string): ServeOptions {
  return parseServerOptions(new TextDecoder().decode(hostFiles.read(path, FILE_SIZE_MAX)), path);
}

/** Reads the text of such a file. @throws {UsageError} names the line */
function parseServerOptions(text: string, path: string): ServeOptions {
  const options: Partial<Record<keyof ServeOptions, string>> = {};
  const datastore: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const content = line.trim();
    if (content === "" || content.startsWith("#")) continue;
    const [, name, value] = /^([a-z-]+)\s*=\s*(\S.*)$/u.exec(content) ?? [];
    const place = `"${path}", line ${index + 1}`;
    if (name === undefined) {
      throw new UsageError(`Cannot read ${place}: expected "option = value"`, { option: "config" });
    }
    if (name === "datastore") {
      datastore.push(value!);
      continue;
    }
    const key = Object.hasOwn(NAMES, name) ? NAMES[name] : undefined;
    if (key === undefined || options[key] !== undefined) {
      const problem = key === undefined ? "is no option" : "is given twice";
      throw new UsageError(`Cannot use ${place}: "${name}" ${problem}`, { option: "config" });
    }
    options[key] = value!;
  }
  return { ...options, datastore };
}

/** What options mean; those in front count more. @throws {UsageError} */
export function serverSettings(...sources: readonly ServeOptions[]): ServerSettings {
  const get = (name: Exclude<keyof ServeOptions, "datastore">): string | undefined =>
    sources.map((source) => source[name]).find((value) => value !== undefined);
  const stores = sources.flatMap(({ datastore = [] }) => datastore).map(parseStore);
  if (stores.length === 0) {
    throw new UsageError("Cannot serve without a datastore", {
      option: "datastore",
      hint: "Give a name and a directory: main=/srv/store",
    });
  }
  const twice = stores.find(({ name }, index) =>
    stores.findIndex((other) => other.name === name) < index
  );
  if (twice !== undefined) {
    throw new UsageError(`Cannot serve two datastores "${twice.name}"`, { option: "datastore" });
  }
  const cert = get("cert");
  const key = get("key");
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError("Cannot use a certificate without its key, or a key without certificate", {
      option: cert === undefined ? "--cert" : "--key",
    });
  }
  const metrics = get("metrics");
  return {
    listen: parseListenAddress(get("listen") ?? LISTEN_DEFAULT, "--listen"),
    stores,
    folder: get("stateDir") ?? STATE_DIR_DEFAULT,
    certificate: cert === undefined ? undefined : { certPath: cert, keyPath: key! },
    metrics: metrics === undefined ? undefined : parseListenAddress(metrics, "--metrics"),
    accessLog: get("accessLog"),
    graceSeconds: parseGrace(get("grace") ?? GRACE_DEFAULT),
  };
}

function parseStore(text: string): { readonly name: string; readonly path: string } {
  const end = text.indexOf("=");
  const [name, path] = [text.slice(0, Math.max(end, 0)), text.slice(end + 1)];
  if (isStoreName(name) && path.startsWith("/")) return { name, path };
  throw new UsageError(`Cannot use "${text}" as a datastore: expected NAME=/directory`, {
    option: "datastore",
    hint: "A name has 3 to 32 letters, digits, `_`, `.` and `-`",
  });
}

/** `HOST:PORT` or `[IPV6]:PORT`. @throws {UsageError} */
export function parseListenAddress(text: string, option: string): ListenAddress {
  const [, bracketed, plain, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/u
    .exec(text) ?? [];
  const port = Number(digits);
  if (digits !== undefined && port <= 65_535) return { host: bracketed ?? plain!, port };
  throw new UsageError(`Cannot listen on "${text}": expected HOST:PORT`, { option });
}

function parseGrace(text: string): number {
  const seconds = Number(text);
  if (/^\d+$/u.test(text) && seconds <= GRACE_MAX) return seconds;
  throw new UsageError(`Cannot use "${text}" as a time in seconds`, { option: "grace" });
}
