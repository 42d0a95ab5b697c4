/**
 * A server of the REST interface in a process of its own: prints its port and fingerprint, then
 * what it is asked. It knows the user `tester@pbs` (`secret`) and the token `tester@pbs!tok`.
 */

import type { HttpAnswer, HttpRequest } from "#src/net/http.ts";
import { serveHttp1 } from "#src/net/http1/server.ts";
import { serveHttp2 } from "#src/net/http2/server.ts";
import { fingerprintOfPem, makeCertificate } from "#src/net/tls/certificate.ts";
import { listenTls } from "#src/net/tls/listen.ts";

const UPID = "UPID:vm:00000188:0002A677:000000D9:6B00FF7C:garbage_collection:main:tester@pbs:";
const TICKET = "PBS:tester@pbs:6B010076::c2lnbmF0dXJl";
const LOG = ["starting garbage collection", "found \u001b[31mred", "TASK OK"];

const data = (value: unknown): HttpAnswer => ({
  status: 200,
  body: new TextEncoder().encode(JSON.stringify({ data: value })),
});
const refuse = (status: number, text: string): HttpAnswer => ({
  status,
  body: new TextEncoder().encode(text),
});

let logCalls = 0;

function answer(method: string, target: string, body: string, headers: Record<string, string>) {
  const [path, query = ""] = target.split("?");
  if (path === "/api2/json/access/ticket") {
    const { username, password } = JSON.parse(body);
    const isGood = username === "tester@pbs" && (password === "secret" || password === TICKET);
    if (!isGood) return refuse(401, "permission check failed.");
    return data({ username, ticket: TICKET, CSRFPreventionToken: "6B010076:dG9rZW4" });
  }
  const isUser = headers["cookie"] === `PBSAuthCookie=${TICKET}`;
  const isToken = headers["authorization"] === "PBSAPIToken=tester@pbs!tok:token-secret";
  if (!isUser && !isToken) return refuse(401, "authentication failed - invalid ticket.");
  if (path === "/api2/json/version") return data({ version: "3.2", release: "4", repoid: "abc" });
  const tasks = "/api2/json/nodes/localhost/tasks";
  if (path === tasks) {
    const all = [
      { upid: UPID, starttime: 1795227516, user: "tester@pbs" },
      { upid: UPID, starttime: 1795220000, endtime: 1795220060, status: "OK", user: "tester@pbs" },
    ];
    return data(query.includes("running=true") ? all.slice(0, 1) : all);
  }
  const task = `${tasks}/${encodeURIComponent(UPID)}`;
  if (path === task && method === "DELETE") return data(null);
  if (path === `${task}/status`) {
    // It runs while the first lines are asked for.
    return data(logCalls === 0 ? { status: "running" } : { status: "stopped", exitstatus: "OK" });
  }
  if (path === `${task}/log`) {
    const start = Number(/start=(\d+)/u.exec(query)![1]);
    const known = logCalls++ === 0 ? LOG.slice(0, 1) : LOG;
    return data(known.map((t, index) => ({ n: index + 1, t })).slice(start));
  }
  return refuse(404, `Path '${path}' not found.`);
}

/** A backup that is only begun, to measure uploads. */
async function answerSession({ target, body }: HttpRequest): Promise<HttpAnswer> {
  if (target === "/previous_backup_time") return data(null);
  if (target !== "/speedtest") return refuse(404, `Path '${target}' not found.`);
  for (let part = await body.read(); part !== undefined; part = await body.read());
  return data(null);
}

const pair = await makeCertificate({ hosts: ["127.0.0.1"], from: new Date(), days: 1 });
const listener = await listenTls({
  host: "127.0.0.1",
  port: 0,
  certificate: pair,
  onConnection: (connection) =>
    void serveHttp1(connection, async (request) => {
      const body = new TextDecoder().decode(await request.body.bytes(1 << 20));
      console.log(`${request.method} ${request.target}`);
      if (request.headers["upgrade"] !== undefined) {
        if (request.headers["cookie"] !== `PBSAuthCookie=${TICKET}`) {
          return refuse(401, "no ticket");
        }
        return {
          status: 101,
          headers: { upgrade: request.headers["upgrade"] },
          upgrade: (upgraded) => void serveHttp2(upgraded, answerSession),
        };
      }
      return answer(request.method, request.target, body, request.headers);
    }),
});
await Deno.writeTextFile(Deno.args[0]!, pair.certificate);
console.log(`${listener.port} ${await fingerprintOfPem(pair.certificate)}`);
