/**
 * Answers what the network thread is asked for.
 *
 * @module
 */

import { ProtocolError } from "#src/errors.ts";
import type { MailAnswer, MailRequest } from "#src/threads/mailbox/answering.ts";
import {
  APPEND_ENTRY_SIZE,
  type LoginChanges,
  type NetworkRequest,
  type SessionNumber,
  TEXT_SIZE_MAX,
} from "../calls.ts";
import { BackupSession } from "./backup_session.ts";
import { ReaderSession } from "./reader_session.ts";
import type { ServerPort } from "./server_port.ts";
import { SessionClient } from "./session_client.ts";

const DIGEST_SIZE = 32;

/** A request of one kind. */
type RequestFor<What extends NetworkRequest["what"]> = Extract<NetworkRequest, { what: What }>;

/** The server, and the sessions with it. */
export class NetworkCalls {
  readonly #connect: (changes: LoginChanges) => Promise<ServerPort>;
  readonly #onTrouble: (reason: string | undefined) => void;
  #server: Promise<ServerPort> | undefined;
  readonly #readers = new Map<SessionNumber, ReaderSession>();
  readonly #backups = new Map<SessionNumber, BackupSession>();
  #sessionCount = 0;
  #changes: LoginChanges = {};

  /**
   * @param connect logs in, when that is first needed
   * @param onTrouble is told what a session waits for, and undefined when that is over
   */
  constructor(
    connect: (changes: LoginChanges) => Promise<ServerPort>,
    onTrouble: (reason: string | undefined) => void,
  ) {
    this.#connect = connect;
    this.#onTrouble = onTrouble;
  }

  /** Answers one request. */
  async handle(mail: MailRequest): Promise<MailAnswer> {
    const request = mail.request as NetworkRequest;
    const { signal } = mail;
    switch (request.what) {
      case "log-in":
        return { value: await this.#logIn(request) };
      case "rest":
        return await this.#rest(request, mail);
      case "open-reader":
        return { value: await this.#openReader(request, signal) };
      case "download": {
        const { session, name, sizeMax } = request;
        return { value: await this.#reader(session).download(name, sizeMax, mail) };
      }
      case "chunk": {
        const { session, digest } = request;
        const room = mail.room.subarray(0, mail.room.length - TEXT_SIZE_MAX);
        return { size: await this.#reader(session).chunk(digest, room, signal) };
      }
      case "expect":
        this.#readers.get(request.session)?.expect(request.digest);
        return {};
      case "open-backup":
        return { value: await this.#openBackup(request, signal) };
      case "close":
        return this.#close(request.session);
      default:
        return await this.#write(request, mail);
    }
  }

  /** Ends all sessions: backups that are not finished are gone. */
  async close(): Promise<void> {
    for (const session of [...this.#readers.keys(), ...this.#backups.keys()]) this.#close(session);
    const server = await this.#server?.catch(() => undefined);
    server?.close();
  }

  async #write(
    request: Exclude<
      NetworkRequest,
      RequestFor<
        | "log-in"
        | "rest"
        | "open-reader"
        | "download"
        | "chunk"
        | "expect"
        | "open-backup"
        | "close"
      >
    >,
    mail: MailRequest,
  ): Promise<MailAnswer> {
    const { payload, signal } = mail;
    const session = this.#backup(request.session);
    switch (request.what) {
      case "previous":
        for await (const part of session.previousFile(request.name, signal)) {
          for (let start = 0; start < part.length; start += mail.room.length - TEXT_SIZE_MAX) {
            const piece = part.subarray(start, start + mail.room.length - TEXT_SIZE_MAX);
            mail.room.set(piece);
            await mail.part(piece.length);
          }
        }
        return {};
      case "know":
        session.know(payload);
        return {};
      case "find":
        return { value: session.knows(request.digest) };
      case "open-index": {
        const { kind, name, size, reusedChecksum } = request;
        return { value: await session.openIndex(kind, name, size, reusedChecksum, signal) };
      }
      case "upload":
        return {
          value: await session.upload(request, payload.length, () => payload.slice(), signal),
        };
      case "append":
        await session.append(request.wid, entriesOf(payload.slice()));
        return {};
      case "close-index":
        await session.closeIndex(request.wid, request, signal);
        return {};
      case "blob":
        await session.blob(request.name, payload.slice(), signal);
        return {};
      case "speedtest":
        return { value: await session.measure(payload.slice(), request.timeMs, signal) };
      case "finish":
        await session.finish(signal);
        this.#backups.delete(request.session);
        return {};
    }
  }

  async #logIn({ changes }: RequestFor<"log-in">): Promise<unknown> {
    this.#changes = { ...this.#changes, ...changes };
    return (await this.#open()).ticket ?? null;
  }

  async #rest(
    request: RequestFor<"rest">,
    { payload, room, signal }: MailRequest,
  ): Promise<MailAnswer> {
    const { method, path, parameters, hasBody } = request;
    const server = await this.#open();
    const body = hasBody === true ? { body: payload.slice() } : {};
    const data = await server.call(method, path, parameters, { signal, ...body });
    const text = new TextEncoder().encode(JSON.stringify(data ?? null));
    if (text.length > room.length - TEXT_SIZE_MAX) {
      throw new ProtocolError(`Cannot take the answer of ${server.name}: ${text.length} bytes`);
    }
    room.set(text);
    return { size: text.length };
  }

  async #openReader(
    { parameters }: RequestFor<"open-reader">,
    signal: AbortSignal,
  ): Promise<number> {
    const server = await this.#open();
    const reader = new ReaderSession({
      peer: server.name,
      connect: (attempt) => server.upgrade("reader", parameters, attempt),
      onTrouble: this.#onTrouble,
    });
    try {
      await reader.open(signal);
    } catch (error) {
      reader.close();
      throw error;
    }
    this.#readers.set(++this.#sessionCount, reader);
    return this.#sessionCount;
  }

  async #openBackup(
    { parameters }: RequestFor<"open-backup">,
    signal: AbortSignal,
  ): Promise<unknown> {
    const server = await this.#open();
    const client = new SessionClient(
      await server.upgrade("backup", parameters, signal),
      server.name,
    );
    const backup = new BackupSession(client);
    try {
      const previousTime = await backup.previousTime(signal);
      this.#backups.set(++this.#sessionCount, backup);
      return { session: this.#sessionCount, previousTime: previousTime ?? null };
    } catch (error) {
      backup.close();
      throw error;
    }
  }

  /** A failed attempt is not kept: the next call tries again. */
  #open(): Promise<ServerPort> {
    return this.#server ??= this.#connect(this.#changes).catch((error) => {
      this.#server = undefined;
      throw error;
    });
  }

  #close(session: SessionNumber): MailAnswer {
    this.#readers.get(session)?.close();
    this.#readers.delete(session);
    this.#backups.get(session)?.close();
    this.#backups.delete(session);
    return {};
  }

  #reader(session: SessionNumber): ReaderSession {
    return this.#readers.get(session) ?? unknown(session);
  }

  #backup(session: SessionNumber): BackupSession {
    return this.#backups.get(session) ?? unknown(session);
  }
}

function unknown(session: SessionNumber): never {
  throw new ProtocolError(`Cannot use session ${session}: it has ended`);
}

function* entriesOf(bytes: Uint8Array<ArrayBuffer>): Generator<[string, number]> {
  const view = new DataView(bytes.buffer);
  for (let offset = 0; offset + APPEND_ENTRY_SIZE <= bytes.length; offset += APPEND_ENTRY_SIZE) {
    const digest = bytes.subarray(offset, offset + DIGEST_SIZE).toHex();
    yield [digest, Number(view.getBigUint64(offset + DIGEST_SIZE, true))];
  }
}
