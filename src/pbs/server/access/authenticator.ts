/**
 * Finds out who asks: by a ticket in a cookie, an API token in a header, or a password.
 *
 * @module
 */

import type { HttpRequest } from "#src/net/http.ts";
import { Refusal } from "../refusal.ts";
import { type AuthId, isTokenId, isUserId, userOf } from "./auth_id.ts";
import type { CurrentAccess } from "./current_access.ts";
import { LoginDelay } from "./login_delay.ts";
import { checkPassword, checkTokenSecret, PASSWORD_SIZE_MAX } from "./secret_hash.ts";
import type { Tickets } from "./tickets.ts";

/** What the log is told of an attempt to log in; never a secret. */
export interface LoginEvent {
  readonly kind: "password" | "ticket" | "token" | "none";
  readonly peer: string;
  /** As it was given; undefined where it is no auth id at all. */
  readonly authId: string | undefined;
  readonly isGood: boolean;
}

/** What a login gives. */
export interface LoginAnswer {
  readonly username: string;
  readonly ticket: string;
  readonly CSRFPreventionToken: string;
}

/** How an authenticator is made. */
export interface AuthenticatorOptions {
  readonly access: CurrentAccess;
  readonly tickets: Tickets;
  readonly onLogin: (event: LoginEvent) => void;
  readonly delay?: LoginDelay;
}

/** Passwords that are tried at a time: each takes 32 MiB. */
const CHECKS_MAX = 4;
const WRONG = "permission check failed.";
const TICKET_PREFIX = "PBS:";

/** See the head of the module. */
export class Authenticator {
  readonly #access: CurrentAccess;
  readonly #tickets: Tickets;
  readonly #onLogin: (event: LoginEvent) => void;
  readonly #delay: LoginDelay;
  #checkCount = 0;
  readonly #checkQueue: (() => void)[] = [];

  constructor({ access, tickets, onLogin, delay = new LoginDelay() }: AuthenticatorOptions) {
    this.#access = access;
    this.#tickets = tickets;
    this.#onLogin = onLogin;
    this.#delay = delay;
  }

  /**
   * Logs a user in with his password, or with a ticket that is still good.
   *
   * @throws {Refusal} 401 after the delay; 429
   */
  login(username: string, password: string, peer: string): Promise<LoginAnswer> {
    return this.#delay.attempt(peer, async () => {
      const kind = password.startsWith(TICKET_PREFIX) ? "ticket" : "password";
      const isGood = kind === "ticket"
        ? this.#tickets.check(password) === username
        : await this.#isPassword(username, password);
      this.#onLogin({ kind, peer, authId: shownId(username), isGood });
      if (!isGood) throw new Refusal(401, WRONG);
      const { ticket, csrfToken } = this.#tickets.issue(username as AuthId);
      return { username, ticket, CSRFPreventionToken: csrfToken };
    });
  }

  /**
   * Who makes a request.
   *
   * @throws {Refusal} 401 after the delay; 429
   */
  async identify(request: HttpRequest): Promise<AuthId> {
    // Good tickets are told at once, whoever else is waiting.
    const user = this.#byTicket(request);
    if (user !== undefined) return user;
    return await this.#delay.attempt(request.peer, () => Promise.resolve(this.#byToken(request)));
  }

  /** Whose ticket comes with a request; undefined when none comes. */
  #byTicket({ method, headers, peer }: HttpRequest): AuthId | undefined {
    const ticket = cookieOf(headers["cookie"] ?? "", "PBSAuthCookie");
    const user = ticket === undefined ? undefined : this.#tickets.check(ticket);
    if (user === undefined) return undefined;
    const csrfToken = headers["csrfpreventiontoken"] ?? "";
    if (method === "GET" || this.#tickets.checkCsrf(user, csrfToken)) return user;
    this.#onLogin({ kind: "ticket", peer, authId: user, isGood: false });
    return undefined;
  }

  #byToken({ headers, peer }: HttpRequest): AuthId {
    const [, text] = /^PBSAPIToken[= ](.*)$/su.exec(headers["authorization"] ?? "") ?? [];
    if (text === undefined) {
      const hasTicket = cookieOf(headers["cookie"] ?? "", "PBSAuthCookie") !== undefined;
      this.#onLogin({
        kind: hasTicket ? "ticket" : "none",
        peer,
        authId: undefined,
        isGood: false,
      });
      throw new Refusal(
        401,
        hasTicket
          ? "authentication failed - invalid ticket or CSRF prevention token"
          : "authentication failed - no authentication credentials provided.",
      );
    }
    const end = text.indexOf(":");
    const id = decoded(end < 0 ? text : text.slice(0, end));
    const secret = end < 0 ? "" : decoded(text.slice(end + 1));
    const { users, tokens } = this.#access.data;
    const isKnown = id !== undefined && isTokenId(id) && users.has(userOf(id));
    const isSecret = checkTokenSecret(secret ?? "", isKnown ? tokens.get(id) : undefined);
    if (isKnown && isSecret) return id;
    this.#onLogin({ kind: "token", peer, authId: shownId(id ?? ""), isGood: false });
    throw new Refusal(401, "authentication failed - invalid credentials");
  }

  /** Users that are not there are told as late as wrong passwords. */
  async #isPassword(username: string, password: string): Promise<boolean> {
    if (password.length > PASSWORD_SIZE_MAX) return false;
    const kept = isUserId(username) ? this.#access.data.users.get(username) : undefined;
    while (this.#checkCount >= CHECKS_MAX) {
      await new Promise<void>((resolve) => this.#checkQueue.push(resolve));
    }
    this.#checkCount++;
    try {
      return await checkPassword(password, kept);
    } finally {
      this.#checkCount--;
      this.#checkQueue.shift()?.();
    }
  }
}

function cookieOf(header: string, name: string): string | undefined {
  for (const part of header.split(";")) {
    const end = part.indexOf("=");
    if (end >= 0 && part.slice(0, end).trim() === name) return decoded(part.slice(end + 1).trim());
  }
  return undefined;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Who cannot even be somebody is not written down: it may be a password in the wrong place. */
function shownId(text: string): string | undefined {
  return isUserId(text) || isTokenId(text) ? text : undefined;
}
