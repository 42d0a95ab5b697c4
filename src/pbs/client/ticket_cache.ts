/**
 * Tickets of earlier runs, and of other programs for the same servers: who has one is not asked for
 * a password.
 *
 *     {"SERVER": {"USER": {"timestamp": SECONDS, "ticket": "PBS:…", "token": "…"}}}
 *
 * @module
 */

import * as v from "valibot";
import { readPrivateFile, replacePrivateFile } from "./private_file.ts";
import type { Ticket } from "./server_login.ts";

/** Whose ticket it is. */
export interface TicketOwner {
  /** Name or address of the server: the port is not told apart, as in other programs. */
  readonly host: string;
  readonly authId: string;
}

/** Some time before the server does not take it any more. */
const AGE_SECONDS_MAX = 7_140;

const ENTRY = v.object({
  timestamp: v.pipe(v.number(), v.safeInteger()),
  ticket: v.pipe(v.string(), v.nonEmpty()),
  token: v.string(),
});
type Entry = v.InferOutput<typeof ENTRY>;
/** Servers, users, entries; what is something else is left out when the file is written. */
type Entries = Map<string, Map<string, Entry>>;

/** The file with the tickets. */
export class TicketCache {
  readonly #path: string;
  readonly #now: () => number;

  /**
   * @param directory where programs keep what is gone after a restart (`XDG_RUNTIME_DIR`)
   * @param now seconds since 1970
   */
  constructor(directory: string, now: () => number) {
    this.#path = `${directory}/proxmox-backup/tickets`;
    this.#now = now;
  }

  /** A ticket that is still good. @throws {OsError | LimitError} when the file cannot be read */
  find({ host, authId }: TicketOwner): string | undefined {
    return this.#read().get(host)?.get(authId)?.ticket;
  }

  /** Keeps a ticket. @throws {OsError | LimitError} */
  store({ host, authId }: TicketOwner, { ticket, csrfToken }: Ticket): void {
    const entries = this.#read();
    const users = entries.get(host) ?? new Map<string, Entry>();
    users.set(authId, { timestamp: this.#now(), ticket, token: csrfToken });
    entries.set(host, users);
    this.#write(entries);
  }

  /** Forgets a ticket. @returns whether there was one @throws {OsError | LimitError} */
  remove({ host, authId }: TicketOwner): boolean {
    const entries = this.#read();
    const wasThere = entries.get(host)?.delete(authId) === true;
    if (wasThere) this.#write(entries);
    return wasThere;
  }

  /** Tickets that are still good. Something else in the file counts as nothing. */
  #read(): Entries {
    const entries: Entries = new Map();
    let content: unknown;
    try {
      content = JSON.parse(readPrivateFile(this.#path) || "{}");
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    for (const [host, users] of entriesOf(content)) {
      const good = entriesOf(users).flatMap(([authId, entry]) => {
        const { success, output } = v.safeParse(ENTRY, entry);
        return success && this.#isGood(output) ? [[authId, output] as const] : [];
      });
      if (good.length > 0) entries.set(host, new Map(good));
    }
    return entries;
  }

  #isGood({ timestamp }: Entry): boolean {
    const age = this.#now() - timestamp;
    return age >= 0 && age < AGE_SECONDS_MAX;
  }

  #write(entries: Entries): void {
    const content = Object.fromEntries(
      [...entries].map(([host, users]) => [host, Object.fromEntries(users)]),
    );
    replacePrivateFile(this.#path, JSON.stringify(content));
  }
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}
