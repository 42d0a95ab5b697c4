import { ok, strictEqual as equal, throws } from "node:assert";
import { StateError } from "#src/errors.ts";
import {
  changeAccess,
  readAccess,
  withAclEntry,
  withoutUser,
  withToken,
  withUser,
} from "#src/pbs/server/access/access_file.ts";
import {
  isTokenId,
  isUserId,
  parseAuthId,
  parseTokenId,
  parseUserId,
} from "#src/pbs/server/access/auth_id.ts";
import { LoginDelay } from "#src/pbs/server/access/login_delay.ts";
import { parseAclPath, parseRole, Permissions } from "#src/pbs/server/access/privileges.ts";
import {
  checkPassword,
  checkTokenSecret,
  hashPassword,
  hashTokenSecret,
  isSecretHash,
  newTokenSecret,
} from "#src/pbs/server/access/secret_hash.ts";
import { TICKET_SECONDS, ticketKey, Tickets } from "#src/pbs/server/access/tickets.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const USER = parseUserId("a@pbs");
const TOKEN = parseTokenId("a@pbs!t");

Deno.test("auth ids", () => {
  for (const text of ["root@pam", "a.b-c_1@x", "ü@pbs"]) ok(isUserId(text), text);
  for (const text of ["root", "@pam", "a@", "a@b@", "a/b@pbs", "a b@pbs", "a:b@pbs", "a@p!t", ""]) {
    ok(!isUserId(text), text);
  }
  ok(isTokenId("root@pam!x"));
  for (const text of ["root@pam", "root@pam!", "root@pam!a!b", "!t", "root@pam!../x"]) {
    ok(!isTokenId(text), text);
  }
});

Deno.test("the file of users is for its owner only, replaced as a whole, and read again", () => {
  using folder = new TempDirectory("access");
  const path = folder.join("state");
  changeAccess(path, (data) => withUser(data, USER, "$scrypt$ln=15,r=8,p=1$" + SALT + HASH));
  changeAccess(path, (data) => withToken(data, TOKEN, hashTokenSecret("x")));
  const entry = {
    path: "/datastore/main",
    authId: TOKEN,
    role: "DatastoreBackup",
    isPropagated: true,
  } as const;
  changeAccess(path, (data) => withAclEntry(data, entry));
  // Once is enough.
  changeAccess(path, (data) => withAclEntry(data, entry));
  equal(Deno.statSync(`${path}/access.json`).mode! & 0o777, 0o600);
  equal(Deno.statSync(path).mode! & 0o777, 0o700);
  equal(readAccess(path).acl.length, 1);
  throws(() => changeAccess(path, (data) => withUser(data, USER, "")), /exists/);
  const nobody = { ...entry, authId: parseUserId("b@pbs") };
  throws(() => changeAccess(path, (data) => withAclEntry(data, nobody)), StateError);
  changeAccess(path, (data) => withoutUser(data, USER));
  const left = readAccess(path);
  equal(left.users.size + left.tokens.size + left.acl.length, 0);
  equal([...Deno.readDirSync(path)].length, 1);
});

const SALT = "AAAAAAAAAAAAAAAAAAAAAA$";
const HASH = "A".repeat(43);

Deno.test("a damaged file of users is a typed error that names it", () => {
  using folder = new TempDirectory("access");
  for (
    const text of [
      "{",
      "[]",
      '{"version":2,"users":{},"tokens":{},"acl":[]}',
      '{"version":1,"users":{"a@pbs":{"password":"plain"}},"tokens":{},"acl":[]}',
      '{"version":1,"users":{},"tokens":{},"acl":[{"path":"/x","auth-id":"a@pbs","role":"Admin","propagate":true}]}',
      '{"version":1,"users":{},"tokens":{},"acl":[{"path":"/","auth-id":"a@pbs","role":"constructor","propagate":true}]}',
    ]
  ) {
    Deno.writeTextFileSync(folder.join("access.json"), text);
    throws(() => readAccess(folder.path), /access\.json/, text);
  }
});

Deno.test("hashes of passwords and secrets", async () => {
  const kept = await hashPassword("päss");
  ok(isSecretHash(kept) && !kept.includes("päss"));
  ok(await checkPassword("päss", kept));
  ok(!await checkPassword("pass", kept));
  ok(!await checkPassword("päss", undefined));
  const secret = newTokenSecret();
  ok(checkTokenSecret(secret, hashTokenSecret(secret)));
  ok(!checkTokenSecret(`${secret}x`, hashTokenSecret(secret)));
  ok(!checkTokenSecret(secret, undefined));
  // What a file asks for is bounded.
  ok(!isSecretHash(`$scrypt$ln=30,r=8,p=1$${SALT}${HASH}`));
});

Deno.test("tickets end after two hours, and are those of one server", () => {
  using folder = new TempDirectory("tickets");
  const key = ticketKey(folder.path);
  equal(ticketKey(folder.path).toHex(), key.toHex());
  let now = 1_800_000_000;
  const tickets = new Tickets(key, () => "hash", () => now);
  const { ticket, csrfToken } = tickets.issue(USER);
  now += TICKET_SECONDS;
  equal(tickets.check(ticket), USER);
  ok(tickets.checkCsrf(USER, csrfToken));
  now++;
  equal(tickets.check(ticket), undefined);
  ok(!tickets.checkCsrf(USER, csrfToken));
  // Of a clock that was set back.
  now -= TICKET_SECONDS + 302;
  equal(tickets.check(ticket), undefined);
  now += 302;
  equal(new Tickets(new Uint8Array(64), () => "hash", () => now).check(ticket), undefined);
  equal(new Tickets(key, () => "new hash", () => now).check(ticket), undefined);
  equal(new Tickets(key, () => undefined, () => now).check(ticket), undefined);
  equal(tickets.check(ticket.replace("a@pbs", "b@pbs")), undefined);
  equal(tickets.check(ticket.replace("PBS:", "PVE:")), undefined);
  ok(!tickets.checkCsrf(parseUserId("b@pbs"), csrfToken));
});

Deno.test("permissions: deeper entries replace, tokens have what both have", () => {
  const entry = (path: string, authId: string, role: string, isPropagated = true) => ({
    path: parseAclPath(path),
    authId: parseAuthId(authId),
    role: parseRole(role),
    isPropagated,
  });
  const permissions = new Permissions([
    entry("/", "a@pbs", "Audit"),
    entry("/datastore/main", "a@pbs", "backup"),
    entry("/datastore/main", "a@pbs", "audit"),
    entry("/datastore/main/x", "a@pbs", "admin", false),
    entry("/datastore/main", "a@pbs!t", "power"),
  ]);
  const at = (id: string, path: string) => [...permissions.at(parseAuthId(id), path)].sort().join();
  equal(at("a@pbs", "/datastore/other"), "Datastore.Audit,Sys.Audit");
  equal(at("a@pbs", "/datastore/main"), "Datastore.Audit,Datastore.Backup");
  equal(permissions.at(USER, "/datastore/main/x").has("Datastore.Modify"), true);
  equal(permissions.at(USER, "/datastore/main/x/y").has("Datastore.Modify"), false);
  equal(at("a@pbs!t", "/datastore/main"), "Datastore.Backup");
  equal(at("a@pbs!t", "/datastore/mainx"), "");
  equal(at("b@pbs", "/datastore/main"), "");
  for (const path of ["", "x", "/x", "/datastore/main/../x", "/datastore//x", "/system"]) {
    throws(() => parseAclPath(path), /Cannot use/, path);
  }
});

Deno.test("failures wait without holding up others, and only so many", async () => {
  const delay = new LoginDelay(60_000);
  const { promise: never } = Promise.withResolvers<never>();
  for (let count = 0; count < 32; count++) void delay.attempt("[::1]:1", () => never);
  let refused: unknown;
  await delay.attempt("[::1]:2", () => Promise.resolve()).catch((error) => refused = error);
  equal((refused as { status: number }).status, 429);
  equal(await delay.attempt("10.0.0.1:1", () => Promise.resolve("good")), "good");
  equal(delay.waitingCount, 32);
});
