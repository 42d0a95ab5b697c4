/**
 * The two calls that turn a connection into one for backups or for reading.
 *
 * @module
 */

import type { HttpRequest } from "#src/net/http.ts";
import type { AuthId } from "../access/auth_id.ts";
import { formatGroup } from "../../format/snapshot_path.ts";
import { Refusal } from "../refusal.ts";
import type { SessionContext } from "../session.ts";
import { startBackupSession, startReaderSession } from "../sessions.ts";
import type { ServedProtocol } from "./session_host.ts";
import { type Route, route, WholeAnswer } from "./routes.ts";
import { SNAPSHOT, snapshotOfCall, SWITCH } from "./rules.ts";
import { type ServerState, storeFor, storeForGroup } from "./server_state.ts";

const PROTOCOLS: Readonly<Record<ServedProtocol, string>> = {
  backup: "proxmox-backup-protocol-v1",
  reader: "proxmox-backup-reader-protocol-v1",
};
const BACKUP_RULES = { ...SNAPSHOT, debug: SWITCH, benchmark: SWITCH } as const;
const READER_RULES = { ...SNAPSHOT, debug: SWITCH } as const;

/** See the head of the module. */
export const UPGRADE_ROUTES: readonly Route[] = [
  route("GET", "/backup", BACKUP_RULES, ({ state, request, authId, parameters }) => {
    const { group, time } = snapshotOfCall(parameters);
    const need = { any: ["Datastore.Backup"] } as const;
    const { store } = storeFor({ state, authId }, parameters.store, group.ns, need);
    const { debug: isDebug = false, benchmark: isBenchmark = false } = parameters;
    const context = { store, authId, group, time, isDebug, isBenchmark };
    return upgrade("backup", state, request, context);
  }),
  route("GET", "/reader", READER_RULES, async ({ state, request, authId, parameters }) => {
    const { group, time } = snapshotOfCall(parameters);
    const need = { any: ["Datastore.Read"], own: "Datastore.Backup" } as const;
    const store = await storeForGroup({ state, authId }, parameters.store, group, need);
    const { debug: isDebug = false } = parameters;
    const context = { store, authId, group, time, isDebug, isBenchmark: false };
    return await upgrade("reader", state, request, context);
  }),
];

async function upgrade(
  kind: ServedProtocol,
  state: ServerState,
  request: HttpRequest,
  context: SessionContext,
): Promise<WholeAnswer> {
  checkUpgrade(kind, request);
  state.sessions.requireOpen();
  const start = kind === "backup" ? startBackupSession : startReaderSession;
  const session = await start(context, request.signal);
  // The client may be gone before it gets its answer.
  request.signal.addEventListener("abort", () => void session.close(), { once: true });
  const { store, group, authId } = context;
  const place = `${group.ns === "" ? "" : `${group.ns}:`}${formatGroup(group)}`;
  const task = {
    type: kind,
    id: `${store.name}:${place}`,
    store: store.name,
    authId: authId as AuthId,
  };
  return new WholeAnswer({
    status: 101,
    headers: { upgrade: PROTOCOLS[kind] },
    upgrade: (connection) => {
      state.tasks.start(task, async (_task, signal) => {
        signal.addEventListener("abort", () => connection.destroy(), { once: true });
        await state.sessions.run(kind, connection, session);
        if (!session.isFinished) {
          throw new Refusal(400, "backup ended but finished flag is not set.");
        }
      });
    },
  });
}

function checkUpgrade(kind: ServedProtocol, { headers }: HttpRequest): void {
  const protocol = headers["upgrade"];
  if (protocol === undefined) throw new Refusal(400, "missing Upgrade header");
  if (protocol !== PROTOCOLS[kind]) throw new Refusal(400, "invalid protocol name");
}
