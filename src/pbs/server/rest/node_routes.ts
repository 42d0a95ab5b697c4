/**
 * Calls about the server itself: its version, logins, and tasks.
 *
 * @module
 */

import type { AuthId } from "../access/auth_id.ts";
import type { BackupType } from "../../format/snapshot_path.ts";
import { ROOT_NAMESPACE } from "../../format/snapshot_path.ts";
import { isOwnedBy } from "../ownership.ts";
import { answerData, Refusal } from "../refusal.ts";
import { type Route, route, WholeAnswer } from "./routes.ts";
import { groupOfCall, ID, namespaceOfCall, NS, STORE, SWITCH, TIME, TYPE } from "./rules.ts";
import { type Asker, noPermission, storeFor, storeForGroup } from "./server_state.ts";
import type { TaskRecord } from "./tasks.ts";

const TASKS = "/nodes/{node}/tasks";
const UPID = { node: { kind: "text" }, upid: { kind: "text", lengthMax: 1024 } } as const;
const COUNT = { kind: "integer", min: 0, max: Number.MAX_SAFE_INTEGER, isOptional: true } as const;
const LIST_LIMIT = 50;
const LOG_LIMIT = 50;

/** See the head of the module. */
export const NODE_ROUTES: readonly Route[] = [
  route("GET", "/ping", {}, () => ({ pong: true }), { isOpen: true }),

  route("GET", "/version", {}, ({ state }) => versionFields(state.version)),

  route(
    "POST",
    "/access/ticket",
    {
      username: { kind: "text" },
      password: { kind: "text", lengthMax: 4096 },
    },
    ({ state, parameters, request }) =>
      state.authenticator.login(parameters.username, parameters.password, request.peer),
    { isOpen: true },
  ),

  route("GET", "/admin/datastore/{store}/gc", STORE, (context) => {
    const { store: name } = context.parameters;
    const { store } = storeFor(context, name, ROOT_NAMESPACE, { any: ["Datastore.Audit"] });
    return store.call("gcStatusOf").then((status) => ({ ...status, store: name }));
  }),
  route("POST", "/admin/datastore/{store}/gc", STORE, (context) => {
    const { store: name } = context.parameters;
    const { store } = storeFor(context, name, ROOT_NAMESPACE, { any: ["Datastore.Modify"] });
    const { authId } = context;
    const start = { type: "garbage_collection", id: name, store: name, authId };
    return context.state.tasks.start(
      start,
      (task) => store.callAlone("runGarbageCollection", task),
    );
  }),

  route("POST", "/admin/datastore/{store}/verify", {
    ...STORE,
    ns: NS,
    "backup-type": { ...TYPE, isOptional: true },
    "backup-id": { ...ID, isOptional: true },
    "backup-time": { ...TIME, isOptional: true },
    "ignore-verified": SWITCH,
    "outdated-after": COUNT,
  }, async (context) => {
    const { parameters, authId } = context;
    const { store: name, "backup-type": type, "backup-id": id, "backup-time": time } = parameters;
    const ns = namespaceOfCall(parameters.ns);
    const options = {
      ignoreVerified: parameters["ignore-verified"] ?? true,
      outdatedAfterDays: parameters["outdated-after"],
    };
    if (type === undefined || id === undefined) {
      if (type !== undefined || id !== undefined || time !== undefined) {
        throw new Refusal(400, "parameters do not specify a backup group or snapshot");
      }
      const { store } = storeFor(context, name, ns, { any: ["Datastore.Verify"] });
      const start = { type: "verify", id: name, store: name, authId };
      const scope = { kind: "namespace", namespace: ns } as const;
      return context.state.tasks.start(
        start,
        (task) => store.callAlone("runVerification", scope, options, task),
      );
    }
    const group = groupOfCall({ ns, "backup-type": type as BackupType, "backup-id": id });
    const need = { any: ["Datastore.Verify"], own: "Datastore.Backup" } as const;
    const store = await storeForGroup(context, name, group, need);
    const scope = time === undefined
      ? { kind: "group", group } as const
      : { kind: "snapshot", snapshot: { group, time } } as const;
    const place = `${name}:${ns === "" ? "" : `${ns}:`}${type}/${id}`;
    const start = {
      type: time === undefined ? "verify_group" : "verify_snapshot",
      id: time === undefined ? place : `${place}/${time.toString(16).toUpperCase()}`,
      store: name,
      authId,
    };
    return context.state.tasks.start(
      start,
      (task) => store.callAlone("runVerification", scope, options, task),
    );
  }),

  route("GET", "/nodes/{node}/status", { node: { kind: "text" } }, ({ state, authId }) => {
    const has = state.access.permissions.at(authId, "/system/status");
    if (!has.has("Sys.Audit")) throw noPermission();
    return state.node.read();
  }),

  route("GET", TASKS, {
    node: { kind: "text" },
    start: COUNT,
    limit: COUNT,
    running: SWITCH,
    errors: SWITCH,
    store: { ...STORE.store, isOptional: true },
    userfilter: { kind: "text", isOptional: true },
    typefilter: { kind: "text", isOptional: true },
    since: COUNT,
    until: COUNT,
  }, (context) => {
    const { parameters } = context;
    const { since = 0, until = Infinity, userfilter = "", typefilter = "" } = parameters;
    const found = context.state.tasks.list().filter((task) =>
      maySeeTask(context, task) &&
      (parameters.store === undefined || task.store === parameters.store) &&
      (parameters.running !== true || task.status === undefined) &&
      (parameters.errors !== true || (task.status !== undefined && task.status !== "OK")) &&
      task.fields.startTime >= since && task.fields.startTime <= until &&
      task.fields.type.includes(typefilter) && task.fields.authId.includes(userfilter)
    );
    const { start = 0, limit = LIST_LIMIT } = parameters;
    const data = found.slice(start, limit === 0 ? undefined : start + limit).map(listedTask);
    return withFields({ data, total: found.length });
  }),
  route("GET", `${TASKS}/{upid}/status`, UPID, (context) => {
    const task = visibleTask(context, context.parameters.upid);
    const { fields: { node, pid, processStart, startTime, type, id, authId } } = task;
    return {
      upid: task.upid,
      node,
      pid,
      pstart: processStart,
      starttime: startTime,
      type,
      id: id ?? null,
      user: authId,
      status: task.status === undefined ? "running" : "stopped",
      ...(task.status === undefined ? {} : { exitstatus: task.status }),
    };
  }),
  route("GET", `${TASKS}/{upid}/log`, {
    ...UPID,
    start: COUNT,
    limit: COUNT,
    "test-status": SWITCH,
  }, async (context) => {
    const { upid, start = 0, limit = LOG_LIMIT, "test-status": isTest } = context.parameters;
    const task = visibleTask(context, upid);
    // Before the lines: what ends meanwhile is asked for once more.
    const active = task.status === undefined;
    const { lines: data, total } = await context.state.tasks.log(upid, start, limit);
    return withFields({ data, total, ...(isTest === true ? { active } : {}) });
  }),
  route("DELETE", `${TASKS}/{upid}`, UPID, (context) => {
    const { upid } = context.parameters;
    const { fields: { authId } } = visibleTask(context, upid);
    const has = context.state.access.permissions.at(context.authId, "/system/tasks");
    if (!isOwnedBy(authId, context.authId) && !has.has("Sys.Modify")) throw noPermission();
    context.state.tasks.stop(upid);
  }),
];

/** A task that somebody may know of. @throws {Refusal} 404, also of what he may not see */
function visibleTask(asker: Asker, upid: string): TaskRecord {
  const task = asker.state.tasks.find(upid);
  if (maySeeTask(asker, task)) return task;
  throw noPermission();
}

function maySeeTask({ state, authId }: Asker, { fields, store }: TaskRecord): boolean {
  if (isOwnedBy(fields.authId, authId)) return true;
  const { permissions } = state.access;
  if (permissions.at(authId as AuthId, "/system/tasks").has("Sys.Audit")) return true;
  return store !== undefined &&
    permissions.at(authId as AuthId, `/datastore/${store}`).has("Datastore.Audit");
}

function listedTask({ upid, fields, endTime, status }: TaskRecord) {
  return {
    upid,
    node: fields.node,
    pid: fields.pid,
    pstart: fields.processStart,
    starttime: fields.startTime,
    worker_type: fields.type,
    worker_id: fields.id ?? null,
    user: fields.authId,
    ...(endTime === undefined ? {} : { endtime: endTime }),
    ...(status === undefined ? {} : { status }),
  };
}

/** `data` with others beside it. */
function withFields(fields: Readonly<Record<string, unknown>>): WholeAnswer {
  const body = new TextEncoder().encode(JSON.stringify(fields));
  return new WholeAnswer({ ...answerData(null), body });
}

/** `3.2.4` as the interface gives it: clients ask what a server can do by it. */
function versionFields(version: string) {
  const [major, minor, release = "0"] = version.split(".");
  return { version: `${major}.${minor}`, release, repoid: "pbkfs" };
}
