/** Calls of a server over a network that treats bytes badly, at many places of a conversation. */

import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { Failure } from "#src/errors.ts";
import type { HttpClient } from "#src/net/http.ts";
import { connectServer, type ServerTimes } from "#src/pbs/client/api.ts";
import type { ServerLogin } from "#src/pbs/client/server_login.ts";
import { type Fault, faultProxy } from "#tests/support/fault_proxy.ts";
import { dataAnswer, restServer } from "./_rest_server.ts";

const TIMES: ServerTimes = { pausesMs: [1, 1] };
/** Only time ends a wait for bytes that were lost, or that a wrong length promises. */
const SHORT_TIMES: ServerTimes = { pausesMs: [1], answerTimeoutMs: 800, connectTimeoutMs: 800 };
const LIST = Array.from({ length: 300 }, (_, index) => `snapshot ${index}`);
const NO_HTTP2 = (): HttpClient => {
  throw new Error("not asked for");
};

/** A login, a list and a change. */
async function converse(login: ServerLogin, times: ServerTimes): Promise<void> {
  const api = await connectServer(login, NO_HTTP2, times);
  try {
    deepEqual(await api.call("GET", "list", {}), LIST);
    equal(await api.call("PUT", "notes", { notes: "x".repeat(500) }), "kept");
    equal(await api.call("POST", "prune", { "keep-last": 1 }), "pruned");
  } finally {
    api.close();
  }
}

Deno.test("Whatever happens to bytes on the way, a call gives all that was answered or a typed error, and the next one works", async () => {
  let pruned = 0;
  await restServer(({ target }) => {
    if (target.endsWith("/ticket")) {
      return dataAnswer({ ticket: "PBS:t", CSRFPreventionToken: "c" });
    }
    if (target.endsWith("/list")) return dataAnswer(LIST);
    if (target.endsWith("/prune")) pruned++;
    return dataAnswer(target.includes("/notes") ? "kept" : "pruned");
  }, async ({ login }) => {
    const fault: fc.Arbitrary<Fault> = fc.record({
      // The one that only time ends takes its time.
      kind: fc.oneof(
        {
          weight: 12,
          arbitrary: fc.constantFrom("cut", "truncate", "corrupt", "duplicate", "delay"),
        },
        { weight: 1, arbitrary: fc.constant("stall" as const) },
      ) as fc.Arbitrary<Fault["kind"]>,
      direction: fc.constantFrom("to server", "to client"),
      at: fc.nat({ max: 9_000 }),
    });
    await fc.assert(
      fc.asyncProperty(fault, async (fault) => {
        await faultProxy(login.port, fault, async (proxy) => {
          const before = pruned;
          try {
            await converse({ ...login, port: proxy.port }, SHORT_TIMES);
            equal(pruned, before + 1);
          } catch (error) {
            ok(error instanceof Failure, `${error}`);
            // Where time is short, a busy computer is a fault, too.
            ok(proxy.strikes > 0 || error.code === "timeout", error.message);
            // What may change twice was not sent twice.
            ok(pruned <= before + 1);
          }
        });
        await converse(login, TIMES);
      }),
      { numRuns: 100 },
    );
  });
});
