/**
 * Where the files of a client are: `ssh://[user@]host[:port]/directory` of a host that ssh reaches,
 * `agent://host[:port]/directory` of one where the client listens. All behind the host is the path,
 * as it is.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";

/** A directory of a client. */
export type ClientPlace = SshPlace | ListeningPlace;

/** Reached by ssh, which starts the client. */
export interface SshPlace {
  /** Tells it from other places. */
  readonly kind: "ssh";
  /** Also a name that ssh's configuration knows. */
  readonly host: string;
  /** Undefined: as ssh's configuration says. */
  readonly user: string | undefined;
  /** Undefined: as ssh's configuration says. */
  readonly port: number | undefined;
  /** Absolute path. */
  readonly path: string;
}

/** A client that listens, over TLS. */
export interface ListeningPlace {
  /** Tells it from other places. */
  readonly kind: "agent";
  /** Name or address, without brackets. */
  readonly host: string;
  /** Where it listens. */
  readonly port: number;
  /** Absolute path. */
  readonly path: string;
}

/** Where clients listen unless told. */
export const AGENT_PORT = 8017;

const PORT_MAX = 65_535;

/**
 * Reads the name of a directory of a client; undefined when it is no such name.
 *
 * @throws {UsageError} when it is a malformed one
 */
export function parseClientPlace(text: string): ClientPlace | undefined {
  const [, kind, rest] = /^(ssh|agent):\/\/(.*)$/su.exec(text) ?? [];
  if (kind === undefined) return undefined;
  const [, user, bracketed, plain, digits, path] =
    /^(?:([^@/]*)@)?(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^:/[\]@]+))(?::(\d{1,5}))?(\/.*)?$/su
      .exec(rest!) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? undefined : Number(digits);
  const isGood = host !== undefined && isName(host) && (user === undefined || isName(user)) &&
    (port === undefined || (port >= 1 && port <= PORT_MAX));
  if (isGood && path !== undefined) {
    if (kind === "ssh") return { kind, host, user, port, path };
    if (user === undefined) return { kind: "agent", host, port: port ?? AGENT_PORT, path };
  }
  const form = kind === "ssh" ? "ssh://[user@]host[:port]" : "agent://host[:port]";
  throw new UsageError(`Cannot use "${text}": expected ${form}/directory`);
}

/** Whether two directories are those of one client, which one connection is enough for. */
export function isSameClient(a: ClientPlace, b: ClientPlace): boolean {
  const user = (place: ClientPlace) => place.kind === "ssh" ? place.user : undefined;
  return a.kind === b.kind && a.host === b.host && a.port === b.port && user(a) === user(b);
}

/** Whether ssh and its messages can be trusted with it: no option, nothing that is not shown. */
function isName(text: string): boolean {
  return /^[^\s\p{Cc}-][^\s\p{Cc}]*$/u.test(text);
}
