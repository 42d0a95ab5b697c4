import assert from "node:assert/strict";
import { FormatError } from "#src/errors.ts";
import { escapeUnit, formatUpid, parseUpid } from "#src/pbs/format/upid.ts";

const SERVERS = "UPID:vm:00001FBD:0004F12B:00000016:6B010456:verificationjob:test:tester@pbs:";

Deno.test("parseUpid and formatUpid agree on a server's name", () => {
  const upid = parseUpid(SERVERS);
  assert.deepEqual(upid, {
    node: "vm",
    pid: 0x1fbd,
    processStart: 0x4f12b,
    task: 0x16,
    startTime: 0x6b010456,
    type: "verificationjob",
    id: "test",
    authId: "tester@pbs",
  });
  assert.equal(formatUpid(upid), SERVERS);
});

Deno.test("formatUpid escapes the id", () => {
  const upid = { ...parseUpid(SERVERS), id: "a:b/ü-.", task: 0x1_2345_6789, processStart: 2 ** 33 };
  const text = formatUpid(upid);
  assert.equal(
    text,
    "UPID:vm:00001FBD:200000000:123456789:6B010456:verificationjob:" +
      "a\\x3ab-\\xc3\\xbc\\x2d.:tester@pbs:",
  );
  assert.deepEqual(parseUpid(text), upid);
  assert.equal(formatUpid({ ...upid, id: undefined }).split(":")[7], "");
});

Deno.test("escapeUnit gives what a server names its lock files", () => {
  assert.equal(
    escapeUnit("host/rv2/2026-11-21T03:16:27Z/.index.json.lck"),
    "host-rv2-2026\\x2d11\\x2d21T03\\x3a16\\x3a27Z-.index.json.lck",
  );
  assert.equal(escapeUnit(".a"), "\\x2ea");
});

Deno.test("parseUpid refuses what a server would", () => {
  for (
    const text of [
      "",
      SERVERS.slice(0, -1),
      `${SERVERS} `,
      SERVERS.replace("vm", "-vm"),
      SERVERS.replace("vm", ""),
      SERVERS.replace("00001FBD", "1FBD"),
      SERVERS.replace("00001FBD", "00001fbd"),
      SERVERS.replace("0004F12B", "000000000A"),
      SERVERS.replace("verificationjob", ""),
      SERVERS.replace("tester@pbs", ""),
    ]
  ) {
    assert.throws(() => parseUpid(text), FormatError, text);
  }
});
