/**
 * The end of the mailbox where the client is: it answers what the walk asks, out of what was read
 * ahead.
 *
 * @module
 */

import { FieldWriter } from "#src/bytes/fields.ts";
import { freeMemory } from "#src/bytes/freed_memory.ts";
import { StateError } from "#src/errors.ts";
import { createMailbox } from "#src/threads/mailbox/slots.ts";
import { answerMail, type MailAnswer, type MailRequest } from "#src/threads/mailbox/answering.ts";
import { METADATA_FIELDS } from "#src/tree/metadata.ts";
import { CheckedProvider } from "./checked_provider.ts";
import {
  CLIENT_AREA_BYTES,
  CLIENT_SLOT_COUNT,
  type ClientCall,
  CONTENT_BYTES_MAX,
  type ExpectedWalk,
  type ListAnswer,
  type RootAnswer,
  writeParts,
} from "./client_calls.ts";
import { encodeEntry } from "./entry_record.ts";
import { LookAhead } from "./look_ahead.ts";
import type { ListedRecords } from "./planned_directory.ts";
import type { ClientCapabilities, ClientProvider, ContentPiece } from "./provider.ts";

/** How a client is read. */
export interface RemoteReaderOptions {
  /** Names of one directory at most. */
  readonly entriesMax: number;
  /** After so long without an answer that is waited for the backup ends. */
  readonly silenceMaxMs: number;
  /** Directories that are gone through, one after the other; nothing is asked after the last. */
  readonly walkCount: number;
}

/** Answers one thread that backs up. */
export class RemoteReader {
  /** Memory of the mailbox, for the thread that asks. */
  readonly shared: SharedArrayBuffer;
  readonly #connected: Promise<CheckedProvider>;
  readonly #answering: Promise<void>;
  /** What is said of contents; one answer after the other. */
  readonly #fields = new FieldWriter();
  #capabilities: ClientCapabilities | undefined;
  #isAsked = false;
  #ahead: LookAhead | undefined;
  #walksLeft: number;
  #provider: CheckedProvider | undefined;
  #closing: Promise<void> | undefined;

  /** Takes the provider, which is closed in the end. What is asked waits until it is there. */
  constructor(connecting: Promise<ClientProvider>, options: RemoteReaderOptions) {
    const { entriesMax, silenceMaxMs } = options;
    this.#walksLeft = options.walkCount;
    this.#connected = connecting.then((provider) =>
      this.#provider = new CheckedProvider(provider, entriesMax, silenceMaxMs)
    );
    // Whoever asks is told.
    this.#connected.catch(() => {});
    this.shared = createMailbox({ slotCount: CLIENT_SLOT_COUNT, areaBytes: CLIENT_AREA_BYTES });
    this.#answering = answerMail(this.shared, (mail) => this.#answer(mail));
  }

  /** Ends all calls and the connection; the mailbox is to be stopped before. */
  async close(): Promise<void> {
    this.#ahead?.end();
    const ending = this.#end();
    // On a client that is not there yet nobody waits.
    if (this.#provider !== undefined) await ending;
    await this.#answering;
  }

  /** Ends the connection, as soon as there is one. */
  #end(): Promise<void> {
    const end = (provider: CheckedProvider) =>
      provider.close(new StateError("interrupted", "The connection was ended"));
    return this.#closing ??= this.#connected.then(end, () => {});
  }

  async #answer(mail: MailRequest): Promise<MailAnswer> {
    const request = mail.request as ClientCall;
    const provider = await this.#connected;
    switch (request.call) {
      case "connect":
        return {};
      case "open":
        return await this.#open(provider, request.walk, mail);
      case "stat": {
        const entry = encodeEntry(await provider.stat(request.path));
        mail.room.set(entry);
        return { size: entry.length };
      }
      case "list":
        return await sendListing(await this.#plan.listing(request.path), mail);
      case "read": {
        const { path, offset } = request;
        const parts = await this.#plan.contents(path, offset, CONTENT_BYTES_MAX);
        const size = writeParts(mail.room, parts, this.#fields);
        for (const { pieces, isFreed } of parts) if (isFreed) pieces.forEach(free);
        return { size };
      }
      case "close":
        this.#plan.close(request.path);
        return {};
      case "leave":
        this.#plan.leave(request.path);
        // While the last archive is stored.
        if (this.#plan.isOver && this.#walksLeft === 0) void this.#end();
        return {};
    }
  }

  get #plan(): LookAhead {
    if (this.#ahead === undefined) throw new Error("No directory is open");
    return this.#ahead;
  }

  async #open(
    provider: CheckedProvider,
    walk: ExpectedWalk,
    mail: MailRequest,
  ): Promise<MailAnswer> {
    this.#ahead?.end();
    this.#walksLeft--;
    const ahead = this.#ahead = new LookAhead(provider, walk);
    const [capabilities, root] = await Promise.all([this.#readCapabilities(provider), ahead.root]);
    const entry = encodeEntry(root);
    mail.room.set(entry);
    const { uid = 0, gid = 0, knownFields } = capabilities ?? {};
    const value: RootAnswer = {
      uid,
      gid,
      unknownFields: METADATA_FIELDS.filter((field) => knownFields?.has(field) === false),
    };
    return { value, size: entry.length };
  }

  async #readCapabilities(provider: CheckedProvider): Promise<ClientCapabilities | undefined> {
    if (!this.#isAsked) this.#capabilities = await provider.capabilities();
    this.#isAsked = true;
    return this.#capabilities;
  }
}

/** Nobody reads a piece any more that was handed over. */
function free(piece: ContentPiece): void {
  if (piece instanceof Uint8Array && piece.buffer instanceof ArrayBuffer) {
    freeMemory(piece as Uint8Array<ArrayBuffer>);
  }
}

/** Hands records over in parts that the room holds; no record is cut. */
async function sendListing(
  { records, ...answer }: ListedRecords,
  mail: MailRequest,
): Promise<MailAnswer> {
  for (const record of records) {
    for (let start = 0; start < record.length; start += mail.room.length) {
      const part = record.subarray(start, start + mail.room.length);
      mail.room.set(part);
      await mail.part(part.length);
    }
  }
  return { value: answer satisfies ListAnswer };
}
