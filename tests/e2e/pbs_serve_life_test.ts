/** What `pbs serve` shows and where it listens, from its start to its end. */

import assert from "node:assert/strict";
import { Http1Client } from "#src/net/http1/client.ts";
import { fingerprintOfPem, makeCertificate } from "#src/net/tls/certificate.ts";
import { connectTls } from "#src/net/tls/connect.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { RunningCommand, waitUntil } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { runPbs } from "./_pbs_store.ts";

const TIMEOUT_MS = 60_000;
const HOST = "127.0.0.1";

/** A server in a process of its own that is there to be ended. */
class Serving implements AsyncDisposable {
  readonly command: RunningCommand;

  /** @param options of `pbs serve`, for an address that nobody uses yet */
  constructor(options: readonly string[]) {
    this.command = new RunningCommand(pbkfsCommand(["pbs", "serve", ...options]));
  }

  /** Waits until it serves. */
  static async start(options: readonly string[]): Promise<Serving> {
    const serving = new Serving(options);
    await serving.said(/fingerprint: \S+\n/);
    return serving;
  }

  get port(): number {
    return Number(/listening on \S+:(\d+)\n/.exec(this.command.stderr)![1]);
  }

  get fingerprint(): string {
    return /fingerprint: (\S+)/.exec(this.command.stderr)![1]!;
  }

  /** Waits until it has said something. @returns what matched */
  async said(pattern: RegExp): Promise<RegExpExecArray> {
    const { command } = this;
    let isOver = false;
    void command.ended.then(() => isOver = true);
    const probe = () => isOver || pattern.test(command.stderr);
    await waitUntil(probe, TIMEOUT_MS, () => `${pattern}: ${command.stderr}`);
    const found = pattern.exec(command.stderr);
    assert.ok(found !== null, `${pattern}: ${command.stderr}`);
    return found;
  }

  signal(signal: Deno.Signal): void {
    Deno.kill(this.command.pid!, signal);
  }

  /** Waits for its end. @returns the exit code */
  async end(): Promise<number> {
    return (await this.command.wait(TIMEOUT_MS)).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.command.signalGroup("SIGKILL");
    await this.command.ended;
  }
}

/** A datastore that is served. */
class Place implements Disposable {
  readonly home = new TempDirectory("serve-life");
  readonly store = this.home.join("store");
  readonly state = this.home.join("state");
  /** What a server of it is told at least. */
  readonly options = [
    ...["--listen", `${HOST}:0`, "--state-dir", this.state],
    ...["--datastore", `main=${this.store}`],
  ];

  constructor() {
    makeStore(this.store);
  }

  [Symbol.dispose](): void {
    this.home[Symbol.dispose]();
  }
}

/** A datastore whose folders of chunks are made when they are needed. */
function makeStore(path: string): void {
  Deno.mkdirSync(`${path}/.chunks`, { recursive: true });
}

async function connect(port: number, fingerprint: string): Promise<Http1Client> {
  const trust = { fingerprint, authorities: [] };
  return new Http1Client(await connectTls({ host: HOST, port, trust }), HOST);
}

/** Status of an answer to somebody who has not logged in. */
async function ping(client: Http1Client): Promise<number> {
  const call = { method: "GET", target: "/api2/json/ping", timeoutMs: TIMEOUT_MS };
  const { status, body } = await client.send(call);
  await body.bytes(10_000);
  return status;
}

function newPair() {
  return makeCertificate({ hosts: [HOST], from: new Date(Date.now() - 60_000), days: 30 });
}

Deno.test("SIGHUP has pbs serve show another certificate to new connections, and keep its own where that cannot be used", async () => {
  using place = new Place();
  const [cert, key] = [place.home.join("cert.pem"), place.home.join("key.pem")];
  const [first, second] = [await newPair(), await newPair()];
  const write = (certText: string, keyText: string) => {
    Deno.writeTextFileSync(cert, certText);
    Deno.writeTextFileSync(key, keyText);
  };
  write(first.certificate, first.key);
  await using serving = await Serving.start([...place.options, "--cert", cert, "--key", key]);
  const fingerprints = [first, second].map(({ certificate }) => fingerprintOfPem(certificate));
  const [old, fresh] = await Promise.all(fingerprints) as [string, string];
  assert.equal(serving.fingerprint, old);
  const before = await connect(serving.port, old);
  assert.equal(await ping(before), 200);

  write(second.certificate, second.key);
  serving.signal("SIGHUP");
  const [, said] = await serving.said(/certificate read again: (\S+)\n/);
  assert.equal(said, fresh);
  await assert.rejects(connect(serving.port, old), { code: "certificate" });
  const after = await connect(serving.port, fresh);
  assert.equal(await ping(after), 200);
  assert.equal(await ping(before), 200, "a connection outlives the certificate");

  const mistakes = [
    () => write("no certificate", second.key),
    () => write(first.certificate, second.key),
    () => write("", ""),
    () => Deno.removeSync(cert),
  ];
  for (const [index, make] of mistakes.entries()) {
    make();
    serving.signal("SIGHUP");
    const count = () => serving.command.stderr.match(/certificate not changed: /g)?.length ?? 0;
    await waitUntil(() => count() === index + 1, TIMEOUT_MS, () => serving.command.stderr);
    const still = await connect(serving.port, fresh);
    assert.equal(await ping(still), 200);
    still.close();
  }
  assert.match(serving.command.stderr, /not changed: [^\n]*cert\.pem/);
  before.close();
  after.close();
  serving.signal("SIGTERM");
  assert.equal(await serving.end(), 0);
});

Deno.test("pbs serve says which address of its figures is taken, and does not start", async () => {
  using place = new Place();
  using taken = Deno.listen({ hostname: HOST, port: 0 });
  const address = `${HOST}:${(taken.addr as Deno.NetAddr).port}`;
  const { code, stderr } = await runPbs(["serve", ...place.options, "--metrics", address]);
  assert.equal(code, 1, stderr);
  assert.match(stderr, new RegExp(`Cannot listen on ${address} for metrics`));
});
