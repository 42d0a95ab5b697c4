import { deepStrictEqual as same, ok, strictEqual as equal } from "node:assert";
import { waitUntil } from "#tests/support/process.ts";
import { NetworkScene, tokenOf } from "./_network_scene.ts";

/** What programs that watch servers ask, beside what clients do. */

interface Listed {
  readonly worker_type: string;
  readonly starttime: number;
  readonly user: string;
  readonly endtime?: number;
}

interface Usage {
  readonly total: number;
  readonly used: number;
}

interface NodeFields {
  readonly cpu: number;
  readonly cpuinfo: { readonly cpus: number };
  readonly memory: Usage;
  readonly root: Usage;
  readonly loadavg: readonly number[];
  readonly uptime: number;
  readonly kversion: string;
}

Deno.test("whoever looks whether a server is there needs no login", async () => {
  await using scene = await NetworkScene.start();
  const reply = await scene.call("GET", "ping", {});
  equal(reply.status, 200);
  same(JSON.parse(reply.text).data, { pong: true });
  equal((await scene.call("GET", "version", {})).status, 401);
});

Deno.test("the use of datastores is listed to those who may see it", async () => {
  await using scene = await NetworkScene.start();
  for (const role of ["audit", "backup", "read"]) scene.add(`${role}@pbs`, role);
  scene.add("nobody@pbs");
  const usage = async (user: string) => {
    scene.add(`${user}@pbs!t`, ...user === "nobody" ? [] : [user]);
    const token = tokenOf(`${user}@pbs!t`);
    return await scene.data("GET", "status/datastore-usage", token) as Record<string, unknown>[];
  };
  for (const user of ["audit", "backup", "read"]) {
    const [main, ...others] = await usage(user);
    same(others, []);
    equal(main!["store"], "main");
    for (const field of ["total", "used", "avail"]) equal(typeof main![field], "number", field);
  }
  same(await usage("nobody"), []);
});

Deno.test("a server tells of its computer, and of users", async () => {
  await using scene = await NetworkScene.start();
  scene.add("me@pbs", "admin");
  scene.add("me@pbs!t", "admin");
  scene.add("watcher@pbs");
  scene.add("watcher@pbs!w");
  for (const authId of ["watcher@pbs", "watcher@pbs!w"]) scene.grant(authId, "Audit", "/");
  const watcher = tokenOf("watcher@pbs!w");
  const status = await scene.data("GET", "nodes/localhost/status", watcher) as NodeFields;
  for (const { total, used } of [status.memory, status.root]) {
    ok(total > 0 && used > 0 && used <= total, `${used} of ${total}`);
  }
  const { cpu, uptime, loadavg, kversion, cpuinfo } = status;
  ok(cpu > 0 && cpu <= 1 && uptime > 0, `${cpu}, ${uptime}`);
  equal(loadavg.length, 3);
  ok(cpuinfo.cpus > 0);
  equal(kversion.split(" ")[1], Deno.osRelease());
  const users = async (token: ReturnType<typeof tokenOf>, query = "") =>
    await scene.data("GET", `access/users?${query}`, token);
  same(await users(watcher, "include_tokens=1"), [
    { userid: "me@pbs", enable: true, tokens: [{ tokenid: "me@pbs!t", enable: true }] },
    { userid: "watcher@pbs", enable: true, tokens: [{ tokenid: "watcher@pbs!w", enable: true }] },
  ]);
  same(await users(tokenOf("me@pbs!t")), [{ userid: "me@pbs", enable: true }]);
});

Deno.test("tasks are listed by their kind and by when they started", async () => {
  await using scene = await NetworkScene.start();
  scene.add("a@pbs", "admin");
  scene.add("a@pbs!t", "admin");
  const token = tokenOf("a@pbs!t");
  const list = async (query = "") =>
    await scene.data("GET", `nodes/localhost/tasks?${query}`, token) as Listed[];
  const types = async (query: string) => (await list(query)).map((task) => task.worker_type);
  for (const call of ["gc", "verify"]) {
    await scene.data("POST", `admin/datastore/main/${call}`, token);
  }
  const haveEnded = async () => (await list()).every(({ endtime }) => endtime !== undefined);
  await waitUntil(haveEnded, 60_000, () => "tasks still run");
  same((await types("")).sort(), ["garbage_collection", "verify"]);
  same(await types("typefilter=verif"), ["verify"]);
  same(await types("typefilter=garbage"), ["garbage_collection"]);
  same(await types("typefilter=backup"), []);
  const starts = (await list()).map(({ starttime }) => starttime);
  const [first, last] = [Math.min(...starts), Math.max(...starts)];
  equal((await types(`since=${first}&until=${last}`)).length, 2);
  same(await types(`since=${last + 1}`), []);
  same(await types(`until=${first - 1}`), []);
});
