import { ok, strictEqual as equal } from "node:assert";
import { withoutToken, withoutUser, withPassword } from "#src/pbs/server/access/access_file.ts";
import { parseTokenId, parseUserId } from "#src/pbs/server/access/auth_id.ts";
import { hashPassword } from "#src/pbs/server/access/secret_hash.ts";
import { NetworkScene, PASSWORD, SECRET, ticketOf, tokenOf } from "./_network_scene.ts";

const GROUPS = "admin/datastore/main/groups";
const NEW_NAMESPACE = "admin/datastore/main/namespace?name=";

async function scene(): Promise<NetworkScene> {
  const made = await NetworkScene.start();
  made.add("a@pbs", "admin");
  made.add("b@pbs", "admin");
  made.add("a@pbs!t", "admin");
  return made;
}

Deno.test("a login gives a ticket and a token against CSRF, as clients expect them", async () => {
  await using server = await scene();
  const reply = await server.login("a@pbs");
  const { data } = JSON.parse(reply.text);
  equal(data.username, "a@pbs");
  ok(/^PBS:a@pbs:[0-9A-F]{8}::[A-Za-z0-9+/]{86}$/.test(data.ticket));
  ok(/^[0-9A-F]{8}:[A-Za-z0-9+/]{43}$/.test(data.CSRFPreventionToken));
  equal((await server.call("GET", GROUPS, ticketOf(reply))).status, 200);
  // A ticket is renewed by itself in place of the password, only by its user.
  equal((await server.login("a@pbs", data.ticket)).status, 200);
  equal((await server.login("b@pbs", data.ticket)).status, 401);
});

Deno.test("wrong passwords, unknown users and what is no user get the same answer", async () => {
  await using server = await scene();
  const attempts = [
    ["a@pbs", "wrong horse"],
    ["nobody@pbs", PASSWORD],
    ["a@pbs!t", SECRET],
    ["../../etc/passwd", "x"],
    ["a@pbs", ""],
    ["a@pbs", "x".repeat(4000)],
    ["a@pbs", `PBS:a@pbs:00000001::${"A".repeat(86)}`],
  ] as const;
  for (const [user, password] of attempts) {
    const { status, text } = await server.login(user, password);
    equal(`${status} ${text}`, "401 permission check failed.");
  }
  const logged = JSON.stringify(server.events);
  for (const [, password] of attempts.slice(0, 2)) ok(!logged.includes(password));
  ok(logged.includes('"nobody@pbs"'));
  ok(!logged.includes("passwd"));
});

Deno.test("without credentials nothing is told, not even which paths there are", async () => {
  await using server = await scene();
  for (const path of [GROUPS, "version", "no/such/path"]) {
    const { status, text } = await server.call("GET", path, {});
    equal(status, 401);
    equal(text, "authentication failed - no authentication credentials provided.");
  }
});

Deno.test("tokens: a space or an equals sign, a wrong secret, another user's, a removed one", async () => {
  await using server = await scene();
  const status = async (authorization: string) =>
    (await server.call("GET", GROUPS, { authorization })).status;
  equal(await status(`PBSAPIToken=a@pbs!t:${SECRET}`), 200);
  equal(await status(`PBSAPIToken a@pbs!t:${SECRET}`), 200);
  equal(await status(`PBSAPIToken a@pbs!t:${SECRET}x`), 401);
  equal(await status(`PBSAPIToken a@pbs!t:`), 401);
  equal(await status(`PBSAPIToken a@pbs!t`), 401);
  equal(await status(`PBSAPIToken b@pbs!t:${SECRET}`), 401);
  equal(await status(`PBSAPIToken a@pbs:${PASSWORD}`), 401);
  equal(await status(`PBSAPIToken a@pbs!t:%zz`), 401);
  server.change((data) => withoutToken(data, parseTokenId("a@pbs!t")));
  equal(await status(`PBSAPIToken=a@pbs!t:${SECRET}`), 401);
  ok(!JSON.stringify(server.events).includes(SECRET));
});

Deno.test("what changes something needs the user's own token against CSRF", async () => {
  await using server = await scene();
  const mine = ticketOf(await server.login("a@pbs"));
  const other = ticketOf(await server.login("b@pbs"));
  const csrf = mine["csrfpreventiontoken"]!;
  const status = async (name: string, token: string | undefined) => {
    const credentials = {
      cookie: mine["cookie"]!,
      ...(token === undefined ? {} : { csrfpreventiontoken: token }),
    };
    return (await server.call("POST", NEW_NAMESPACE + name, credentials)).status;
  };
  equal(await status("n1", undefined), 401);
  equal(await status("n1", other["csrfpreventiontoken"]), 401);
  equal(await status("n1", `${csrf.slice(0, -1)}${csrf.endsWith("A") ? "B" : "A"}`), 401);
  equal(await status("n1", `00000001${csrf.slice(8)}`), 401);
  equal(await status("n1", csrf), 200);
  // Reading needs none.
  equal((await server.call("GET", GROUPS, { cookie: mine["cookie"]! })).status, 200);
});

Deno.test("a new password and the removal of a user end his tickets at once", async () => {
  await using server = await scene();
  const a = ticketOf(await server.login("a@pbs"));
  const b = ticketOf(await server.login("b@pbs"));
  const hash = await hashPassword("another password");
  server.change((data) => withPassword(data, parseUserId("a@pbs"), hash));
  equal((await server.call("GET", GROUPS, a)).status, 401);
  equal((await server.login("a@pbs", "another password")).status, 200);
  server.change((data) => withoutUser(data, parseUserId("b@pbs")));
  equal((await server.call("GET", GROUPS, b)).status, 401);
  // And that of his tokens.
  server.change((data) => withoutUser(data, parseUserId("a@pbs")));
  equal((await server.call("GET", GROUPS, tokenOf("a@pbs!t"))).status, 401);
});

Deno.test("a file of users that is damaged while the server runs changes nothing", async () => {
  await using server = await scene();
  const ticket = ticketOf(await server.login("a@pbs"));
  Deno.writeTextFileSync(`${server.folder}/access.json`, '{"version":1,"users":{');
  equal((await server.call("GET", GROUPS, ticket)).status, 200);
  ok(server.events.some((event) => event.event === "warning"));
});
