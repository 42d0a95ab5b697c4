/**
 * How somebody logs in to a server: what options and the environment say of it, and what is known
 * of earlier runs.
 *
 * @module
 */

import { AuthError, UsageError } from "#src/errors.ts";
import type { Rate } from "#src/net/rate_limit.ts";
import { parseFingerprint } from "#src/net/tls/fingerprint.ts";
import { parseProxy } from "#src/net/tls/proxy.ts";
import type { ServerLogin } from "#src/pbs/client/server_login.ts";
import { type Environment, secretOf, SERVER_PASSWORD } from "../keys/secrets.ts";
import type { ServerRepository } from "#src/pbs/client/repository.ts";
import { knownFingerprints, systemAuthorities, ticketCache } from "./server_places.ts";

/** What options say of the way to a server. */
export interface ServerOptions {
  /** Of its certificate. */
  readonly fingerprint?: string | undefined;
  /** For each direction. */
  readonly rate?: Rate | undefined;
}

/** A login, and where it comes from. */
export interface PreparedLogin {
  readonly login: ServerLogin;
  /** Whether the password is a ticket of an earlier run: it may be refused. */
  readonly isFromTicket: boolean;
  /** Whether somebody insists on the fingerprint, so that nobody is to be asked about another. */
  readonly isPinned: boolean;
}

/** `user@realm`, or `user@realm!token`. */
export function authIdOf({ user, token }: ServerRepository): string {
  return token === undefined ? user : `${user}!${token}`;
}

/**
 * Gathers what a login needs. Where neither the environment nor an earlier run has a password,
 * `askPassword` is asked.
 *
 * @throws {UsageError} when an option or a variable is wrong
 * @throws {AuthError} when there is no password
 */
export async function prepareLogin(
  repository: ServerRepository,
  options: ServerOptions,
  context: Environment,
  askPassword: () => string | undefined,
): Promise<PreparedLogin> {
  const { host, port } = repository;
  const authId = authIdOf(repository);
  const stated = options.fingerprint ?? context.environment("PBS_FINGERPRINT");
  const isPinned = stated !== undefined && stated !== "";
  const fingerprint = isPinned
    ? parseFingerprint(
      stated,
      options.fingerprint === undefined ? "PBS_FINGERPRINT" : "fingerprint",
    )
    : knownFingerprints(context)?.find(host);
  const proxy = parseProxy(context.environment("ALL_PROXY") ?? "");
  const authorities = isPinned ? [] : systemAuthorities(context);
  const given = await secretOf(SERVER_PASSWORD, context);
  const ticket = given === undefined && repository.token === undefined
    ? ticketCache(context)?.find({ host, authId })
    : undefined;
  const password = given ?? ticket ?? askPassword();
  if (password === undefined) {
    throw new AuthError("no password input mechanism available", {
      code: "password",
      hint: `Give the password in ${SERVER_PASSWORD}, or run on a terminal`,
    });
  }
  if (password === "") throw new UsageError(`The password of ${authId} is empty`);
  const { rate } = options;
  return {
    login: { host, port, authId, password, fingerprint, authorities, proxy, rate },
    isFromTicket: ticket !== undefined,
    isPinned,
  };
}
