/** Logging in to a server, calls of its REST interface, and connections that are turned over. */

import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { AuthError, type Failure, ProtocolError } from "#src/errors.ts";
import type { Connection } from "#src/net/connection.ts";
import type { HttpClient } from "#src/net/http.ts";
import { connectServer, LOGIN_CODE, type ServerTimes } from "#src/pbs/client/api.ts";
import { encodeCredential } from "#src/pbs/client/server_login.ts";
import { type Asked, dataAnswer, restServer, type Scripted, textAnswer } from "./_rest_server.ts";

const TICKET =
  "PBS:tester@pbs:6B010076::fC/CBrINlJtW70XWbtagmIC62YJ2aRBngrspsjVbYS0EUDEbG1KUTSDzB+A==";
const TIMES: ServerTimes = { pausesMs: [1, 1, 1] };
const NO_HTTP2 = (): HttpClient => {
  throw new Error("not asked for");
};
const SIGNAL = new AbortController().signal;

function ticketAnswer(ticket = TICKET): Scripted {
  return dataAnswer({ username: "tester@pbs", ticket, CSRFPreventionToken: "6B010076:XfWRSbnF" });
}

/** Answers logins, and the rest by a script. */
function withLogin(answer: (asked: Asked) => Scripted | Promise<Scripted>) {
  return (asked: Asked) =>
    asked.target === "/api2/json/access/ticket" ? ticketAnswer() : answer(asked);
}

Deno.test("A password is changed for a ticket, which goes with each call; the connection is kept", async () => {
  await restServer(withLogin((asked) => dataAnswer(asked.target)), async (server) => {
    const api = await connectServer(server.login, NO_HTTP2, TIMES);
    equal(api.name, `tester@pbs@127.0.0.1:${server.login.port}`);
    equal(
      await api.call("GET", "admin/datastore/main/snapshots", { ns: "a/b c", "backup-id": "x" }),
      "/api2/json/admin/datastore/main/snapshots?backup-id=x&ns=a%2Fb%20c",
    );
    await api.call("POST", "admin/datastore/main/prune", { "keep-last": 3, "dry-run": true });
    await api.call("POST", "admin/datastore/main/upload-backup-log", { "backup-id": "x" }, {
      body: new TextEncoder().encode("blob"),
    });
    api.close();
    const [login, list, prune, log] = server.asked;
    equal(login!.method, "POST");
    deepEqual(JSON.parse(login!.body), { username: "tester@pbs", password: "pässword" });
    equal(login!.headers["cookie"], undefined);
    equal(login!.headers["content-type"], "application/json");
    equal(list!.method, "GET");
    equal(list!.headers["cookie"], `PBSAuthCookie=${TICKET}`);
    equal(list!.headers["csrfpreventiontoken"], "6B010076:XfWRSbnF");
    equal(list!.headers["host"], `127.0.0.1:${server.login.port}`);
    equal(prune!.target, "/api2/json/admin/datastore/main/prune");
    deepEqual(JSON.parse(prune!.body), { "keep-last": 3, "dry-run": true });
    equal(log!.target, "/api2/json/admin/datastore/main/upload-backup-log?backup-id=x");
    equal(log!.headers["content-type"], "application/octet-stream");
    equal(log!.body, "blob");
    equal(server.connections.length, 1);
  });
});

Deno.test("An API token needs no login, and its secret is encoded", async () => {
  await restServer(() => dataAnswer(null), async (server) => {
    const login = { ...server.login, authId: "tester@pbs!tok1", password: "a:b c%41+/=é" };
    const api = await connectServer(login, NO_HTTP2, TIMES);
    await api.call("GET", "version", {});
    api.close();
    equal(server.asked.length, 1);
    equal(
      server.asked[0]!.headers["authorization"],
      "PBSAPIToken=tester@pbs!tok1:a:b%20c%2541+/=%C3%A9",
    );
    equal(server.asked[0]!.headers["cookie"], undefined);
  });
  equal(
    encodeCredential('\0\x1f "#<>?`{}\x7f😀'),
    [
      "%00%1F%20%22%23%3C%3E%3F%60%7B%7D%7F",
      "%F0%9F%98%80",
    ].join(""),
  );
  equal(encodeCredential("aZ09:+/=!@-._~$&'()*,;[]\\^|"), "aZ09:+/=!@-._~$&'()*,;[]\\^|");
});

Deno.test("A login that is refused says who and where, never the password", async () => {
  await restServer(() => textAnswer(401, "permission check failed."), async (server) => {
    await rejects(connectServer(server.login, NO_HTTP2, TIMES), (error: unknown) => {
      equal(error instanceof AuthError && error.code, LOGIN_CODE);
      match(
        (error as Error).message,
        /^Cannot log in to 127\.0\.0\.1:\d+ as tester@pbs: permission/u,
      );
      equal((error as Error).message.includes("pässword"), false);
      return true;
    });
    equal(server.asked.length, 1);
  });
  for (
    const bad of [dataAnswer(null), dataAnswer({ ticket: "a\r\nb", CSRFPreventionToken: "x" })]
  ) {
    await restServer(() => bad, async ({ login }) => {
      await rejects(connectServer(login, NO_HTTP2, TIMES), ProtocolError);
    });
  }
});

Deno.test("No credential leaves before the certificate is known", async () => {
  await restServer(withLogin(() => dataAnswer(1)), async (server) => {
    const fingerprint = "00:".repeat(31) + "00";
    await rejects(
      connectServer({ ...server.login, fingerprint }, NO_HTTP2, TIMES),
      { code: "certificate" },
    );
    equal(server.asked.length, 0);
  });
});

Deno.test("What changes nothing is repeated while the server has trouble; what may change twice is not", async () => {
  const trouble: Scripted[] = ["cut", textAnswer(503, "busy"), "cut"];
  for (
    const [method, succeeds] of [["GET", true], ["PUT", true], ["POST", false], [
      "DELETE",
      false,
    ]] as const
  ) {
    let count = 0;
    await restServer(
      withLogin(() => trouble[count++] ?? dataAnswer("well")),
      async ({ login, asked }) => {
        const api = await connectServer(login, NO_HTTP2, TIMES);
        const call = api.call(method, "x", {});
        if (succeeds) equal(await call, "well");
        else await rejects(call, (error: ProtocolError) => error.isTemporary);
        equal(asked.length, succeeds ? 5 : 2);
        api.close();
      },
    );
  }
  await restServer(withLogin(() => textAnswer(503, "busy")), async ({ login, asked }) => {
    const api = await connectServer(login, NO_HTTP2, TIMES);
    await rejects(api.call("GET", "x", {}), /busy/u);
    equal(asked.length, 5);
    await rejects(api.call("GET", "x", {}), /busy/u);
    api.close();
  });
});

Deno.test("Refusals keep their words and have a type", async () => {
  const cases = [
    [403, "permission check failed", AuthError],
    [404, "namespace not found", Error],
    [400, "no such datastore 'nope'", Error],
    [400, "parameter verification failed", ProtocolError],
  ] as const;
  for (const [status, words, type] of cases) {
    await restServer(withLogin(() => textAnswer(status, words)), async ({ login }) => {
      const api = await connectServer(login, NO_HTTP2, TIMES);
      await rejects(
        api.call("GET", "x", {}),
        (error: unknown) => error instanceof type && error.message.endsWith(words),
      );
      api.close();
    });
  }
  await restServer(withLogin(() => textAnswer(200, "<html>")), async ({ login }) => {
    const api = await connectServer(login, NO_HTTP2, TIMES);
    await rejects(api.call("GET", "x", {}), /not JSON/u);
    api.close();
  });
});

Deno.test("A ticket is renewed by itself, and anew with the password when the server has forgotten it", async () => {
  let tickets = 0;
  let valid = "";
  const answer = (asked: Asked) => {
    if (asked.target !== "/api2/json/access/ticket") {
      return asked.headers["cookie"] === `PBSAuthCookie=${valid}`
        ? dataAnswer("in")
        : textAnswer(401, "authentication failed - invalid ticket");
    }
    const { password } = JSON.parse(asked.body) as { password: string };
    if (password !== "pässword" && password !== valid) return textAnswer(401, "no");
    valid = `ticket-${++tickets}`;
    return ticketAnswer(valid);
  };
  await restServer(answer, async ({ login, asked }) => {
    const api = await connectServer(login, NO_HTTP2, { ...TIMES, renewalMs: 20 });
    equal(await api.call("GET", "x", {}), "in");
    // By itself, with the old ticket as password.
    while (tickets < 3) await new Promise((resolve) => setTimeout(resolve, 10));
    equal(await api.call("GET", "x", {}), "in");
    equal(asked.some(({ body }) => body.includes('"password":"ticket-1"')), true);
    api.close();
  });
  tickets = 0;
  await restServer(answer, async ({ login }) => {
    const api = await connectServer(login, NO_HTTP2, TIMES);
    valid = "server was started anew";
    const answers = await Promise.all([1, 2, 3].map(() => api.call("GET", "x", {})));
    deepEqual(answers, ["in", "in", "in"]);
    equal(tickets, 2);
    api.close();
  });
});

Deno.test("A connection is turned over to a protocol, with credentials", async () => {
  const handed: Connection[] = [];
  const answer = withLogin((asked) =>
    asked.headers["upgrade"] === undefined ? textAnswer(400, "missing Upgrade header") : {
      status: 101,
      headers: { upgrade: asked.headers["upgrade"]! },
      upgrade: (connection: Connection) => void connection.write([new TextEncoder().encode("h2")]),
    }
  );
  await restServer(answer, async ({ login, asked }) => {
    const speak = (connection: Connection) => {
      handed.push(connection);
      return { close: () => connection.destroy() } as unknown as HttpClient;
    };
    const api = await connectServer(login, speak, TIMES);
    for (
      const [kind, protocol] of [
        ["backup", "proxmox-backup-protocol-v1"],
        ["reader", "proxmox-backup-reader-protocol-v1"],
      ] as const
    ) {
      const client = await api.upgrade(kind, { store: "main", "backup-id": "tr" }, SIGNAL);
      const { target, headers } = asked.at(-1)!;
      equal(target, `/api2/json/${kind}?backup-id=tr&store=main`);
      equal(headers["upgrade"], protocol);
      equal(headers["connection"], "upgrade");
      equal(headers["cookie"], `PBSAuthCookie=${TICKET}`);
      equal(new TextDecoder().decode(await handed.at(-1)!.read()), "h2");
      client.close();
    }
    api.close();
  });
  await restServer(withLogin(() => textAnswer(400, "no such datastore 'x'")), async ({ login }) => {
    const api = await connectServer(login, NO_HTTP2, TIMES);
    await rejects(api.upgrade("backup", { store: "x" }, SIGNAL), /no such datastore 'x'/u);
    api.close();
  });
});

/** Asks for a session while the server does one thing after the other. @returns tries, outcome */
async function upgradeBy(steps: readonly (Scripted | "silence")[]): Promise<[number, string]> {
  let count = 0;
  let outcome = "turned over";
  const answer = withLogin(() => {
    const step = steps[Math.min(count++, steps.length - 1)]!;
    return step === "silence" ? new Promise<Scripted>(() => {}) : step;
  });
  await restServer(answer, async ({ login }) => {
    const speak = (connection: Connection) =>
      ({ close: () => connection.destroy() }) as unknown as HttpClient;
    const api = await connectServer(login, speak, { ...TIMES, answerTimeoutMs: 1_000 });
    try {
      (await api.upgrade("backup", { store: "main" }, SIGNAL)).close();
    } catch (error) {
      outcome = (error as Failure).code;
    }
    api.close();
  });
  return [count, outcome];
}

Deno.test("A session whose beginning was lost or not answered is begun again; one that is refused is not", async () => {
  const yes: Scripted = {
    status: 101,
    headers: { upgrade: "proxmox-backup-protocol-v1" },
    upgrade: () => {},
  };
  const locked = textAnswer(400, "another backup is already running");
  const gone = textAnswer(400, "no such datastore 'main'");
  deepEqual(await upgradeBy(["cut", yes]), [2, "turned over"]);
  deepEqual(await upgradeBy(["silence", yes]), [2, "turned over"]);
  // The server has not noticed yet that nobody uses the session that it has begun.
  deepEqual(await upgradeBy(["silence", locked, yes]), [3, "turned over"]);
  deepEqual(await upgradeBy(["cut", locked, yes]), [3, "turned over"]);
  deepEqual(await upgradeBy(["silence"]), [2, "timeout"]);
  deepEqual(await upgradeBy([locked, yes]), [1, "locked"]);
  deepEqual(await upgradeBy(["cut", gone, yes]), [2, "not-found"]);
});

Deno.test("A call ends with its signal, with the server's silence, and with the port", async () => {
  const silent = withLogin(() => new Promise<Scripted>(() => {}));
  await restServer(silent, async ({ login }) => {
    const api = await connectServer(login, NO_HTTP2, { ...TIMES, answerTimeoutMs: 100 });
    const abort = new AbortController();
    const ended = api.call("POST", "x", {}, { signal: abort.signal });
    abort.abort();
    await rejects(ended, { code: "interrupted" });
    await rejects(api.call("POST", "x", {}), { code: "timeout" });
    api.close();
    await rejects(api.call("GET", "x", {}), { code: "interrupted" });
  });
});
