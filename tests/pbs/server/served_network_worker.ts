/**
 * A network thread of the client whose connections lead to sessions of the server in the same
 * thread.
 *
 * @module
 */

import type { HttpCall, HttpClient, HttpResult } from "#src/net/http.ts";
import { type NetworkStart, serveNetwork } from "#src/pbs/client/network_thread/serve.ts";
import type {
  CallParameters,
  ServerPort,
  SessionKind,
} from "#src/pbs/client/network_thread/server_port.ts";
import { serverFailure } from "#src/pbs/client/server_failure.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { type BackupType, parseNamespace } from "#src/pbs/format/snapshot_path.ts";
import { answerFailure } from "#src/pbs/server/refusal.ts";
import { type ServedStore, StoreThreads } from "#src/pbs/server/served_store.ts";
import type { HttpSession } from "#src/pbs/server/session.ts";
import { startBackupSession, startReaderSession } from "#src/pbs/server/sessions.ts";
import { ask, BytesBody } from "./_session_client.ts";

/** A connection that was turned over to a session. */
class SessionConnection implements HttpClient {
  readonly closed: Promise<void>;
  readonly #session: HttpSession;
  readonly #close: () => void;
  #isOpen = true;

  constructor(session: HttpSession) {
    this.#session = session;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#close = resolve;
  }

  async send({ method, target, headers, body }: HttpCall): Promise<HttpResult> {
    const call = { headers: headers ?? {}, ...body === undefined ? {} : { body: body.slice() } };
    const answer = await ask(this.#session.handler, method, target, call);
    const { status, bytes } = answer;
    return { status, headers: answer.headers, body: new BytesBody(bytes, bytes.length) };
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    void this.#session.close().then(this.#close);
  }
}

class ServedPort implements ServerPort {
  readonly name = "tester@pbs@served:8007";
  readonly #store: ServedStore;
  readonly #path: string;

  constructor(store: ServedStore) {
    this.#store = store;
    this.#path = store.path;
  }

  async upgrade(
    kind: SessionKind,
    parameters: CallParameters,
    signal: AbortSignal,
  ): Promise<HttpClient> {
    const start = kind === "backup" ? startBackupSession : startReaderSession;
    try {
      const session = await start({
        store: this.#store,
        authId: "tester@pbs",
        group: {
          ns: parseNamespace(`${parameters["ns"] ?? ""}`),
          type: parameters["backup-type"] as BackupType,
          id: `${parameters["backup-id"]}`,
        },
        time: Number(parameters["backup-time"]),
        isBenchmark: parameters["benchmark"] === true,
        isDebug: false,
      }, signal);
      return new SessionConnection(session);
    } catch (error) {
      const { status, body } = answerFailure(error);
      const text = new TextDecoder().decode(body as Uint8Array<ArrayBuffer>);
      throw serverFailure(status, text, this.name);
    }
  }

  /** As little of the REST interface as backups and restores need. */
  async call(_method: string, path: string, parameters: CallParameters): Promise<unknown> {
    await Promise.resolve();
    const ns = parseNamespace(`${parameters["ns"] ?? ""}`);
    const datastore = Datastore.open(this.#path);
    try {
      if (path.endsWith("/namespace")) return datastore.namespaces(ns).map((one) => ({ ns: one }));
      if (path.endsWith("/groups")) {
        return datastore.groups(ns).map((group) => ({
          "backup-type": group.type,
          "backup-id": group.id,
          "backup-count": datastore.snapshots(group).length,
          owner: datastore.groupInfo(group).owner,
        }));
      }
      if (!path.endsWith("/snapshots")) throw serverFailure(404, `'${path}' not found`, this.name);
      return datastore.groups(ns)
        .filter(({ id }) => id === parameters["backup-id"])
        .flatMap((group) => datastore.snapshots(group))
        .map((id) => datastore.snapshotInfo(id))
        .map(({ id: { group, time }, files, owner }) => ({
          "backup-type": group.type,
          "backup-id": group.id,
          "backup-time": time,
          owner,
          protected: false,
          files: files.map(({ name, size, cryptMode = "none" }) => ({
            filename: name,
            size,
            "crypt-mode": cryptMode,
          })),
        }));
    } finally {
      datastore.close();
    }
  }

  close(): void {}
}

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<NetworkStart<{ readonly path: string }>>) => void;
  close(): void;
};

scope.onmessage = async ({ data }) => {
  const threads = new StoreThreads({ count: 2 });
  const store = threads.serve({ name: "main", path: data.server.path, syncLevel: "none" });
  await serveNetwork(data, () => Promise.resolve(new ServedPort(store)));
  await threads.close();
  scope.close();
};
