/** Files with tickets and fingerprints, which other programs share. */

import { deepEqual, equal } from "node:assert/strict";
import { KnownFingerprints } from "#src/pbs/client/fingerprints.ts";
import { TicketCache } from "#src/pbs/client/ticket_cache.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const OWNER = { host: "pbs.example", authId: "tester@pbs" };
const TICKET = { ticket: "PBS:tester@pbs:6B010076::x", csrfToken: "6B010076:y" };
const FINGERPRINT = "ab:".repeat(31) + "cd";

Deno.test("Tickets are found for as long as they are good, in a file nobody else may read", () => {
  using directory = new TempDirectory("tickets");
  let now = 1_700_000_000;
  const runtime = directory.join("run/user");
  Deno.mkdirSync(directory.join("run"));
  const cache = new TicketCache(runtime, () => now);
  equal(cache.find(OWNER), undefined);
  equal(cache.remove(OWNER), false);
  cache.store(OWNER, TICKET);
  const other = { host: "[::1]", authId: "__proto__" };
  cache.store(other, { ticket: "two", csrfToken: "t" });
  equal(cache.find(OWNER), TICKET.ticket);
  equal(cache.find(other), "two");
  equal(cache.find({ ...OWNER, authId: "other@pbs" }), undefined);
  const path = `${runtime}/proxmox-backup/tickets`;
  equal(Deno.statSync(path).mode! & 0o777, 0o600);
  deepEqual(JSON.parse(Deno.readTextFileSync(path))["pbs.example"], {
    "tester@pbs": { timestamp: now, ticket: TICKET.ticket, token: TICKET.csrfToken },
  });
  now += 7_139;
  equal(cache.find(OWNER), TICKET.ticket);
  now += 1;
  equal(cache.find(OWNER), undefined);
  now -= 7_141;
  equal(cache.find(OWNER), undefined);
  now += 1;
  equal(cache.remove(OWNER), true);
  equal(cache.find(OWNER), undefined);
  equal(cache.find(other), "two");
  deepEqual([...Deno.readDirSync(`${runtime}/proxmox-backup`)].map(({ name }) => name), [
    "tickets",
  ]);
});

Deno.test("Whatever the file with tickets holds, it does not stop anybody", () => {
  using directory = new TempDirectory("tickets");
  Deno.mkdirSync(directory.join("proxmox-backup"));
  const path = directory.join("proxmox-backup/tickets");
  const cache = new TicketCache(directory.path, () => 1000);
  const good = { timestamp: 999, ticket: "t", token: "c" };
  for (
    const content of [
      "",
      "{",
      "null",
      "[]",
      '"x"',
      JSON.stringify({ "pbs.example": null }),
      JSON.stringify({ "pbs.example": { "tester@pbs": { ...good, timestamp: "999" } } }),
      JSON.stringify({ "pbs.example": { "tester@pbs": { ...good, ticket: 7 } } }),
      JSON.stringify({ "pbs.example": { "tester@pbs": [] } }),
    ]
  ) {
    Deno.writeTextFileSync(path, content);
    equal(cache.find(OWNER), undefined, content);
    cache.store(OWNER, TICKET);
    equal(cache.find(OWNER), TICKET.ticket, content);
  }
  Deno.writeTextFileSync(path, JSON.stringify({ "pbs.example": { "tester@pbs": good } }));
  equal(cache.find(OWNER), "t");
});

Deno.test("Fingerprints are kept a line a server", () => {
  using directory = new TempDirectory("fingerprints");
  const known = new KnownFingerprints(directory.join("config"));
  equal(known.find("pbs.example"), undefined);
  known.store("pbs.example", FINGERPRINT);
  const path = directory.join("config/proxmox-backup/fingerprints");
  equal(Deno.readTextFileSync(path), `pbs.example ${FINGERPRINT}\n`);
  equal(Deno.statSync(path).mode! & 0o777, 0o600);
  Deno.writeTextFileSync(
    path,
    `  other.example\t${FINGERPRINT.toUpperCase()}  \n\nnonsense\nbad.example 12:34\npbs.example ${FINGERPRINT}`,
  );
  equal(known.find("other.example"), FINGERPRINT);
  equal(known.find("bad.example"), undefined);
  const second = "ef:".repeat(31) + "01";
  known.store("pbs.example", second);
  equal(known.find("pbs.example"), second);
  equal(known.find("other.example"), FINGERPRINT);
  equal(Deno.readTextFileSync(path).split("\n").length, 5);
});
