/**
 * The server that a command works with: logging in, and the questions that this may take.
 *
 * @module
 */

import { AuthError } from "#src/errors.ts";
import { LOGIN_CODE } from "#src/pbs/client/api.ts";
import type { LoginChanges } from "#src/pbs/client/calls.ts";
import type { NetworkLink } from "#src/pbs/client/network_link.ts";
import type { ServerLogin, Ticket } from "#src/pbs/client/server_login.ts";
import { SERVER_PASSWORD } from "#src/usecases/keys/secrets.ts";
import type { ServerRepository } from "#src/pbs/client/repository.ts";
import { authIdOf, type PreparedLogin } from "#src/usecases/datastore/server_login.ts";
import { CERTIFICATE_CODE } from "#src/net/tls/connect.ts";
import type { CommandContext } from "../command.ts";
import { type ServerFlags, serverOptionsOf } from "../options/server.ts";
import { askPassword } from "../terminal/password.ts";
import { askYesNo } from "../terminal/question.ts";

/** What a process that serves later needs to log in by itself. */
export interface LoginSecrets {
  readonly password: string;
  readonly fingerprint: string | undefined;
}

/**
 * Logs in to a server, does something with it and ends the connections. The command must have the
 * use "network thread".
 *
 * @param known what another process has found out already
 * @throws {AuthError} when it does not let us in, or nobody vouches for it
 * @throws {ProtocolError} when there is no way to it
 */
export async function withServer<Result>(
  repository: ServerRepository,
  flags: ServerFlags,
  context: CommandContext,
  use: (link: NetworkLink, secrets: LoginSecrets) => Result | Promise<Result>,
  known?: LoginSecrets,
): Promise<Result> {
  const { link, login } = await linkToServer(repository, flags, context, known);
  try {
    return await use(link, secretsOf(login));
  } finally {
    link.stop();
  }
}

/** Of a login, what another process cannot find out by itself. */
export function secretsOf({ password, fingerprint }: ServerLogin): LoginSecrets {
  return { password, fingerprint };
}

/** A server that let us in. */
export interface ConnectedServer {
  /** To be stopped. */
  readonly link: NetworkLink;
  /** By which it did. */
  readonly login: ServerLogin;
}

/** As {@link withServer}, for as long as the caller likes. */
export async function linkToServer(
  repository: ServerRepository,
  flags: ServerFlags,
  context: CommandContext,
  known?: LoginSecrets,
): Promise<ConnectedServer> {
  const { prepareLogin } = await import("#src/usecases/datastore/server_login.ts");
  const { linkServer } = await import("#src/usecases/datastore/server_link.ts");
  const ask = () => known?.password ?? askPasswordOf(repository, context);
  const stated = serverOptionsOf(flags);
  const prepared = known === undefined
    ? await prepareLogin(repository, stated, context, ask)
    : await prepareLogin(
      repository,
      { ...stated, fingerprint: known.fingerprint },
      withoutPasswords(context),
      ask,
    );
  const link = linkServer(prepared.login);
  try {
    return { link, login: await logIn(link, repository, prepared, context, ask) };
  } catch (error) {
    link.stop();
    throw error;
  }
}

/** The process that has started this one has read the password, perhaps from a pipe. */
function withoutPasswords(context: CommandContext): CommandContext {
  return {
    ...context,
    environment: (name) => name.startsWith(SERVER_PASSWORD) ? undefined : context.environment(name),
  };
}

/** Asks for the password of a server at the terminal. @returns undefined without a terminal */
function askPasswordOf(repository: ServerRepository, { terminal }: CommandContext) {
  const kind = repository.token === undefined ? "Password for" : "Secret of";
  return askPassword(terminal, `${kind} "${authIdOf(repository)}": `);
}

/** Logs in; what is refused is tried again with what somebody at the terminal says. */
async function logIn(
  link: NetworkLink,
  repository: ServerRepository,
  prepared: PreparedLogin,
  context: CommandContext,
  ask: () => string | undefined,
): Promise<ServerLogin> {
  const places = await import("#src/usecases/datastore/server_places.ts");
  const { host } = repository;
  const owner = { host, authId: authIdOf(repository) };
  let confirmed: string | undefined;
  let changes: LoginChanges = {};
  let mayAskPassword = prepared.isFromTicket;
  while (true) {
    try {
      const ticket = link.ask({ what: "log-in", changes }) as Ticket | null;
      if (confirmed !== undefined) {
        keeping(context, () => places.knownFingerprints(context)?.store(host, confirmed!));
      }
      if (ticket !== null) {
        keeping(context, () => places.ticketCache(context)?.store(owner, ticket));
      }
      return { ...prepared.login, ...changes };
    } catch (error) {
      if (!(error instanceof AuthError)) throw error;
      if (error.code === CERTIFICATE_CODE && !prepared.isPinned && confirmed === undefined) {
        confirmed = confirmFingerprint(error, prepared, context);
        changes = { fingerprint: confirmed };
      } else if (error.code === LOGIN_CODE && mayAskPassword) {
        mayAskPassword = false;
        keeping(context, () => places.ticketCache(context)?.remove(owner));
        const password = ask();
        if (password === undefined) throw error;
        changes = { password };
      } else {
        throw error;
      }
    }
  }
}

/** What is kept for the next run is not worth failing this one. */
function keeping(context: CommandContext, keep: () => unknown): void {
  try {
    keep();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    context.terminal.err(`WARNING: ${reason}\n`);
  }
}

/** The fingerprint of an unknown certificate, if somebody takes it for the server's. */
function confirmFingerprint(
  error: AuthError,
  { login }: PreparedLogin,
  { terminal }: CommandContext,
): string {
  const { fingerprint } = error;
  if (fingerprint === undefined) throw error;
  if (login.fingerprint !== undefined) {
    terminal.err("WARNING: certificate fingerprint does not match expected fingerprint!\n");
    terminal.err(`expected:    ${login.fingerprint}\n`);
  }
  terminal.err(`fingerprint: ${fingerprint}\n`);
  if (askYesNo(terminal, "Are you sure you want to continue connecting?") === true) {
    return fingerprint;
  }
  throw new AuthError(
    "certificate validation failed - Certificate fingerprint was not confirmed.",
    { code: CERTIFICATE_CODE, hint: error.hint, option: "fingerprint", fingerprint, cause: error },
  );
}
