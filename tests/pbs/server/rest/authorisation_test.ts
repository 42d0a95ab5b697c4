import { deepStrictEqual as same, strictEqual as equal } from "node:assert";
import { type Credentials, NetworkScene, ticketOf, tokenOf } from "./_network_scene.ts";

const ROLES = ["none", "audit", "read", "backup", "power", "admin"];
const FAR = "backup-time=1";

/** A call about a group, and the roles it is open to: for others' groups, and for one's own. */
interface GroupCall {
  readonly method: string;
  readonly path: string;
  readonly query?: string;
  readonly others: string;
  readonly own: string;
}

const S = "admin/datastore/main";
const GROUP_CALLS: readonly GroupCall[] = [
  {
    method: "GET",
    path: `${S}/files`,
    query: FAR,
    others: "audit read admin",
    own: "audit read backup power admin",
  },
  {
    method: "GET",
    path: `${S}/notes`,
    query: FAR,
    others: "audit read admin",
    own: "audit read backup power admin",
  },
  {
    method: "PUT",
    path: `${S}/notes`,
    query: `${FAR}&notes=x`,
    others: "admin",
    own: "backup power admin",
  },
  {
    method: "GET",
    path: `${S}/group-notes`,
    others: "audit read admin",
    own: "audit read backup power admin",
  },
  {
    method: "PUT",
    path: `${S}/group-notes`,
    query: "notes=x",
    others: "admin",
    own: "backup power admin",
  },
  {
    method: "GET",
    path: `${S}/protected`,
    query: FAR,
    others: "audit read admin",
    own: "audit read backup power admin",
  },
  {
    method: "PUT",
    path: `${S}/protected`,
    query: `${FAR}&protected=1`,
    others: "admin",
    own: "backup power admin",
  },
  {
    method: "POST",
    path: `${S}/upload-backup-log`,
    query: FAR,
    others: "",
    own: "backup power admin",
  },
  { method: "DELETE", path: `${S}/groups`, others: "admin", own: "power admin" },
  { method: "DELETE", path: `${S}/snapshots`, query: FAR, others: "admin", own: "power admin" },
  { method: "POST", path: `${S}/prune`, query: "keep-last=1", others: "admin", own: "power admin" },
  {
    method: "POST",
    path: `${S}/change-owner`,
    query: "new-owner=SELF",
    others: "admin",
    own: "backup power admin",
  },
  {
    method: "GET",
    path: `${S}/catalog`,
    query: `${FAR}&filepath=Lw==`,
    others: "read admin",
    own: "read backup power admin",
  },
  {
    method: "GET",
    path: `${S}/download`,
    query: `${FAR}&file-name=index.json.blob`,
    others: "read admin",
    own: "read backup power admin",
  },
  {
    method: "GET",
    path: `${S}/download-decoded`,
    query: `${FAR}&file-name=a.blob`,
    others: "read admin",
    own: "read backup power admin",
  },
  { method: "POST", path: `${S}/verify`, query: FAR, others: "admin", own: "backup power admin" },
  {
    method: "GET",
    path: "reader",
    query: `store=main&${FAR}`,
    others: "read admin",
    own: "read backup power admin",
  },
];

const EVERYBODY_WITH_A_ROLE = "audit read backup power admin";
const STORE_CALLS: readonly Omit<GroupCall, "own">[] = [
  { method: "GET", path: `${S}/groups`, others: EVERYBODY_WITH_A_ROLE },
  { method: "GET", path: `${S}/snapshots`, others: EVERYBODY_WITH_A_ROLE },
  { method: "GET", path: `${S}/status`, others: EVERYBODY_WITH_A_ROLE },
  { method: "GET", path: `${S}/namespace`, others: EVERYBODY_WITH_A_ROLE },
  { method: "POST", path: `${S}/namespace`, query: "name=x", others: "admin" },
  { method: "DELETE", path: `${S}/namespace`, query: "ns=y", others: "admin" },
  { method: "GET", path: `${S}/gc`, others: "audit read admin" },
  { method: "POST", path: `${S}/gc`, others: "admin" },
  { method: "POST", path: `${S}/verify`, others: "admin" },
  {
    method: "GET",
    path: "backup",
    query: `store=main&backup-type=host&backup-id=new&${FAR}`,
    others: "backup power admin",
  },
  { method: "GET", path: "version", others: `none ${EVERYBODY_WITH_A_ROLE}` },
  { method: "GET", path: "ping", others: `none ${EVERYBODY_WITH_A_ROLE}` },
  {
    method: "GET",
    path: "status/datastore-usage",
    others: `none ${EVERYBODY_WITH_A_ROLE}`,
  },
  { method: "GET", path: "admin/datastore", others: `none ${EVERYBODY_WITH_A_ROLE}` },
  // What is a server's own is told to who may audit it as a whole.
  { method: "GET", path: "nodes/localhost/status", others: "" },
  { method: "GET", path: "access/users", others: `none ${EVERYBODY_WITH_A_ROLE}` },
  { method: "GET", path: "nodes/localhost/tasks", others: `none ${EVERYBODY_WITH_A_ROLE}` },
];

function makeGroup(scene: NetworkScene, id: string, owner: string): void {
  Deno.mkdirSync(`${scene.storePath}/host/${id}`, { recursive: true });
  Deno.writeTextFileSync(`${scene.storePath}/host/${id}/owner`, `${owner}\n`);
}

/** Statuses other than 401 and 403 are beyond the check of permissions. */
async function mayCall(
  scene: NetworkScene,
  { method, path, query = "" }: Pick<GroupCall, "method" | "path" | "query">,
  credentials: Credentials,
  group: string,
): Promise<boolean> {
  const all = [query, group].filter((part) => part !== "").join("&");
  const { status } = await scene.call(method, `${path}?${all}`, credentials);
  return status !== 401 && status !== 403;
}

/** Which roles each call is open to, of those who are given. */
async function openTo(
  scene: NetworkScene,
  subjects: ReadonlyMap<string, { readonly authId: string; readonly credentials: Credentials }>,
): Promise<Record<string, string>> {
  const found: Record<string, string[]> = {};
  for (const [role, { authId, credentials }] of subjects) {
    const note = async (name: string, call: Omit<GroupCall, "own" | "others">, id?: string) => {
      const group = id === undefined ? "" : `backup-type=host&backup-id=${id}`;
      found[name] ??= [];
      if (await mayCall(scene, call, credentials, group)) found[name].push(role);
    };
    for (const call of STORE_CALLS) await note(`${call.method} ${call.path}`, call);
    for (const call of GROUP_CALLS) {
      const query = call.query?.replace("SELF", encodeURIComponent(authId));
      const asked = { ...call, ...(query === undefined ? {} : { query }) };
      makeGroup(scene, "own", authId);
      makeGroup(scene, "other", "other@pbs");
      await note(`${call.method} ${call.path} own`, asked, "own");
      await note(`${call.method} ${call.path} others`, asked, "other");
    }
  }
  return Object.fromEntries(Object.entries(found).map(([name, roles]) => [name, roles.join(" ")]));
}

function expected(): Record<string, string> {
  return Object.fromEntries([
    ...STORE_CALLS.map((call) => [`${call.method} ${call.path}`, call.others]),
    ...GROUP_CALLS.flatMap((call) => [
      [`${call.method} ${call.path} own`, call.own],
      [`${call.method} ${call.path} others`, call.others],
    ]),
  ]);
}

Deno.test("every call is open to the roles of the table, and to no others: users", async () => {
  await using scene = await NetworkScene.start();
  const subjects = new Map();
  for (const role of ROLES) {
    const authId = `u-${role}@pbs`;
    scene.add(authId, role);
    subjects.set(role, { authId, credentials: ticketOf(await scene.login(authId)) });
  }
  same(await openTo(scene, subjects), expected());
});

Deno.test("every call is open to the roles of the table, and to no others: tokens", async () => {
  await using scene = await NetworkScene.start();
  scene.add("boss@pbs", "admin");
  const subjects = new Map();
  for (const role of ROLES) {
    const authId = `boss@pbs!t-${role}`;
    scene.add(authId, role);
    subjects.set(role, { authId, credentials: tokenOf(authId) });
  }
  const open = await openTo(scene, subjects);
  // A token gives what it owns to nobody else's name; only its user may.
  same(open, { ...expected(), [`POST ${S}/change-owner own`]: "admin" });
});

Deno.test("a token has no more rights than its user, and not his groups", async () => {
  await using scene = await NetworkScene.start();
  scene.add("weak@pbs", "backup");
  scene.add("weak@pbs!strong", "admin");
  const token = tokenOf("weak@pbs!strong");
  equal((await scene.call("GET", `${S}/gc`, token)).status, 403);
  makeGroup(scene, "users", "weak@pbs");
  makeGroup(scene, "tokens", "weak@pbs!strong");
  const notes = (id: string) => `${S}/group-notes?backup-type=host&backup-id=${id}`;
  const refused = await scene.call("GET", notes("users"), token);
  equal(refused.status, 403);
  equal(refused.text, "backup owner check failed (weak@pbs!strong != weak@pbs)");
  equal((await scene.call("GET", notes("tokens"), token)).status, 200);
  const user = ticketOf(await scene.login("weak@pbs"));
  equal((await scene.call("GET", notes("tokens"), user)).status, 200);
});

Deno.test("lists have only what is open to who asks", async () => {
  await using scene = await NetworkScene.start();
  scene.add("a@pbs", "backup");
  makeGroup(scene, "mine", "a@pbs");
  makeGroup(scene, "tokens", "a@pbs!t");
  makeGroup(scene, "other", "b@pbs");
  for (const id of ["mine", "tokens", "other"]) {
    const path = `${scene.storePath}/host/${id}/2024-01-10T10:00:00Z`;
    Deno.mkdirSync(path);
    Deno.writeTextFileSync(`${path}/index.json.blob`, "damaged");
  }
  const user = ticketOf(await scene.login("a@pbs"));
  const ids = async (path: string) =>
    (await scene.data("GET", path, user) as { "backup-id": string }[])
      .map((one) => one["backup-id"]).sort();
  same(await ids(`${S}/groups`), ["mine", "tokens"]);
  same(await ids(`${S}/snapshots`), ["mine", "tokens"]);
});

Deno.test("permissions hold for a namespace and what is below it, not beside it", async () => {
  await using scene = await NetworkScene.start();
  Deno.mkdirSync(`${scene.storePath}/ns/team/ns/sub`, { recursive: true });
  Deno.mkdirSync(`${scene.storePath}/ns/team2`, { recursive: true });
  scene.add("t@pbs", "admin", "/datastore/main/team");
  const user = ticketOf(await scene.login("t@pbs"));
  const status = async (ns: string) =>
    (await scene.call("GET", `${S}/groups?ns=${encodeURIComponent(ns)}`, user)).status;
  equal(await status("team"), 200);
  equal(await status("team/sub"), 200);
  equal(await status("team2"), 403);
  equal(await status(""), 403);
  // The root only as the way there.
  same(await scene.data("GET", `${S}/namespace`, user), [
    { ns: "" },
    { ns: "team" },
    { ns: "team/sub" },
  ]);
  // What leads out of a name is none.
  for (const ns of ["team/../team2", "../team2", "team//sub", "/team", "team/ns/..", "team%00"]) {
    equal(await status(ns), 400, ns);
  }
});

Deno.test("being kept out of a namespace outweighs what holds above it", async () => {
  await using scene = await NetworkScene.start();
  Deno.mkdirSync(`${scene.storePath}/ns/secret`, { recursive: true });
  scene.add("t@pbs", "admin");
  scene.grant("t@pbs", "none", "/datastore/main/secret");
  const user = ticketOf(await scene.login("t@pbs"));
  equal((await scene.call("GET", `${S}/groups?ns=secret`, user)).status, 403);
  same(await scene.data("GET", `${S}/namespace`, user), [{ ns: "" }]);
  equal((await scene.call("DELETE", `${S}/namespace?ns=secret&delete-groups=1`, user)).status, 403);
});

Deno.test("paths out of the datastore are refused before anything is looked up", async () => {
  await using scene = await NetworkScene.start();
  scene.add("boss@pbs", "admin");
  scene.add("boss@pbs!t", "admin");
  const token = tokenOf("boss@pbs!t");
  const group = "backup-type=host&backup-id=own";
  makeGroup(scene, "own", "boss@pbs!t");
  const bad = [
    `files?backup-type=host&backup-id=..%2F..&${FAR}`,
    `files?backup-type=..&backup-id=own&${FAR}`,
    `files?backup-type=host&backup-id=.chunks%2F0000&${FAR}`,
    `download?${group}&${FAR}&file-name=..%2Fowner`,
    `download?${group}&${FAR}&file-name=%2Fetc%2Fpasswd`,
    `download?${group}&${FAR}&file-name=owner`,
    `download-decoded?${group}&${FAR}&file-name=..%2Fowner`,
    `files?${group}&backup-time=-1`,
    `files?${group}&backup-time=1e9`,
  ];
  for (const path of bad) equal((await scene.call("GET", `${S}/${path}`, token)).status, 400, path);
  equal((await scene.call("GET", "admin/datastore/..%2Fmain/status", token)).status, 400);
  equal((await scene.call("GET", "admin/datastore/none/status", token)).status, 403);
});
