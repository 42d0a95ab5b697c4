/** A server over TLS in this process, with users of every role, and a client for its calls. */

import { type CertificateAndKey, makeCertificate } from "#src/net/tls/certificate.ts";
import {
  type AccessData,
  changeAccess,
  withAclEntry,
  withToken,
  withUser,
} from "#src/pbs/server/access/access_file.ts";
import { parseAuthId, parseTokenId, parseUserId } from "#src/pbs/server/access/auth_id.ts";
import { parseRole } from "#src/pbs/server/access/privileges.ts";
import { hashPassword, hashTokenSecret } from "#src/pbs/server/access/secret_hash.ts";
import { NetworkServer, type ServerEvent } from "#src/pbs/server/network_server.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

/** The password of all users. */
export const PASSWORD = "correct horse";
/** The secret of all tokens. */
export const SECRET = "a-secret-of-tests";

const PAIR: CertificateAndKey = await makeCertificate({
  hosts: ["localhost"],
  from: new Date(Date.now() - 60_000),
  days: 30,
});
const PASSWORD_HASH = await hashPassword(PASSWORD);

/** What came back. */
export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly headers: Headers;
}

/** How somebody says who he is. */
export type Credentials = Readonly<Record<string, string>>;

/** Credentials of a token. */
export function tokenOf(authId: string, secret = SECRET): Credentials {
  return { authorization: `PBSAPIToken=${authId}:${secret}` };
}

/** Credentials of a user who has logged in. */
export function ticketOf(reply: Reply): Credentials {
  const { ticket, CSRFPreventionToken: csrf } = JSON.parse(reply.text).data;
  return {
    cookie: `PBSAuthCookie=${encodeURIComponent(ticket)}`,
    csrfpreventiontoken: csrf,
  };
}

/** See the head of the module. */
export class NetworkScene {
  readonly events: ServerEvent[] = [];
  readonly folder: string;
  readonly #directory: TempDirectory;
  readonly #client = Deno.createHttpClient({ caCerts: [PAIR.certificate] });
  #server!: NetworkServer;

  private constructor(directory: TempDirectory) {
    this.#directory = directory;
    this.folder = directory.join("state");
  }

  /** @param storePath default: an empty one */
  static async start(
    options: { readonly storePath?: string } = {},
  ): Promise<NetworkScene> {
    const directory = new TempDirectory("network");
    const scene = new NetworkScene(directory);
    const path = options.storePath ?? directory.join("store");
    Deno.mkdirSync(`${path}/.chunks`, { recursive: true });
    scene.#server = await NetworkServer.start({
      host: "localhost",
      port: 0,
      certificate: PAIR,
      stores: [{ name: "main", path, syncLevel: "none" }],
      folder: scene.folder,
      version: "3.2.4",
      onEvent: (event) => scene.events.push(event),
      loginDelayMs: 50,
    });
    return scene;
  }

  get server(): NetworkServer {
    return this.#server;
  }

  /** What the server shows, as PEM. */
  get certificate(): string {
    return PAIR.certificate;
  }

  /** Path of the empty store. */
  get storePath(): string {
    return this.#directory.join("store");
  }

  /** Changes users and permissions, as the commands do. */
  change(change: (data: AccessData) => AccessData): void {
    changeAccess(this.folder, change);
  }

  /** Adds a user or a token, with a role. */
  add(authId: string, role?: string, path = "/datastore/main"): void {
    this.change((data) => {
      const added = authId.includes("!")
        ? withToken(data, parseTokenId(authId), hashTokenSecret(SECRET))
        : withUser(data, parseUserId(authId), PASSWORD_HASH);
      return role === undefined ? added : withAclEntry(added, {
        path,
        authId: parseAuthId(authId),
        role: parseRole(role),
        isPropagated: true,
      });
    });
  }

  /** Gives a role to somebody who is there. */
  grant(authId: string, role: string, path: string, isPropagated = true): void {
    const entry = { path, authId: parseAuthId(authId), role: parseRole(role), isPropagated };
    this.change((data) => withAclEntry(data, entry));
  }

  login(username: string, password = PASSWORD): Promise<Reply> {
    return this.call("POST", "access/ticket", {}, JSON.stringify({ username, password }), {
      "content-type": "application/json",
    });
  }

  /** Calls `/api2/json/…`. */
  async call(
    method: string,
    path: string,
    credentials: Credentials,
    body?: string | Uint8Array<ArrayBuffer>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Reply> {
    const url = `https://localhost:${this.#server.port}/api2/json/${path}`;
    const reply = await fetch(url, {
      method,
      headers: { ...credentials, ...headers },
      client: this.#client,
      ...(body === undefined ? {} : { body }),
    });
    const bytes = new Uint8Array(await reply.arrayBuffer());
    const { status, headers: answered } = reply;
    return { status, bytes, text: new TextDecoder().decode(bytes), headers: answered };
  }

  /** `data` of an answer that must be good. */
  async data(method: string, path: string, credentials: Credentials): Promise<unknown> {
    const { status, text } = await this.call(method, path, credentials);
    if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text}`);
    return JSON.parse(text).data;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await this.#server.stop(0, AbortSignal.abort());
    this.#directory[Symbol.dispose]();
  }
}
