/** `pbs serve` from its start to its end: its signals, its settings, its figures. */

import assert from "node:assert/strict";
import { Http1Client } from "#src/net/http1/client.ts";
import { fingerprintOfPem, makeCertificate } from "#src/net/tls/certificate.ts";
import { Http2Client } from "#src/net/http2/client.ts";
import { connectTls } from "#src/net/tls/connect.ts";
import { connectServer } from "#src/pbs/client/api.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { chunkOf, finish, noise, writeDynamic } from "#tests/pbs/server/_served_scene.ts";
import { handlerOf } from "#tests/pbs/server/_tls_sessions.ts";
import { RunningCommand, waitUntil } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { runPbs } from "./_pbs_store.ts";
import { mustPbs } from "./_served_store.ts";

const TIMEOUT_MS = 60_000;
const HOST = "127.0.0.1";
const USER = "me@pbs";
const ID = "life";
const PASSWORD = "a password of the test";

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

/** A backup of which only the end is missing. */
interface RunningBackup extends Disposable {
  /** Resolves when its connection is gone. */
  readonly closed: Promise<unknown>;
  finish(): Promise<void>;
}

/** A datastore, and a user of it. */
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

  async addUser(): Promise<void> {
    const password = this.home.join("password");
    Deno.writeTextFileSync(password, `${PASSWORD}\n`);
    const state = ["--state-dir", this.state];
    await mustPbs(["serve", "user", "add", USER, "--password-file", password, ...state]);
    await mustPbs(["serve", "acl", "add", "/datastore", USER, "admin", ...state]);
  }

  /** Environment of a client. */
  environment({ port, fingerprint }: Serving): Record<string, string> {
    return {
      PBS_REPOSITORY: `${USER}@${HOST}:${port}:main`,
      PBS_PASSWORD: PASSWORD,
      PBS_FINGERPRINT: fingerprint,
      XDG_RUNTIME_DIR: this.home.path,
      XDG_CONFIG_HOME: this.home.join("config"),
      XDG_CACHE_HOME: this.home.join("cache"),
    };
  }

  /** A backup that has sent some of its bytes. */
  async startBackup({ port, fingerprint }: Serving): Promise<RunningBackup> {
    const login = {
      host: HOST,
      port,
      authId: USER,
      password: PASSWORD,
      fingerprint,
      authorities: [],
    };
    const api = await connectServer(login, (connection) => new Http2Client(connection));
    const time = Math.floor(Date.now() / 1000);
    const snapshot = {
      store: "main",
      "backup-type": "host",
      "backup-id": ID,
      "backup-time": time,
    };
    const client = await api.upgrade("backup", snapshot, new AbortController().signal);
    const session = { handler: handlerOf(client) };
    const chunks = [1, 2, 3].map((seed) => chunkOf(noise(seed, 5_000)));
    const file = await writeDynamic(session, "root.pxar.didx", chunks);
    assert.equal(this.snapshots().length, 1);
    return {
      closed: client.closed,
      async finish() {
        await finish(session, { id: ID, time }, [file]);
        client.close();
      },
      [Symbol.dispose]() {
        client.close();
        api.close();
      },
    };
  }

  /** Folders of the snapshots that are backed up, in the making too. */
  snapshots(): string[] {
    try {
      return [...Deno.readDirSync(`${this.store}/host/${ID}`)]
        .filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  /** Of each snapshot that is listed without a server, whether it is finished. */
  async finished(): Promise<boolean[]> {
    const args = ["snapshots", "--format", "json", "--repository", `dir:${this.store}`];
    const { code, stdout, stderr } = await runPbs(args);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout).map((snapshot: { unfinished?: boolean }) => !snapshot.unfinished);
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

Deno.test("SIGTERM lets a running backup end, and takes no other", async () => {
  using place = new Place();
  await place.addUser();
  await using serving = await Serving.start([...place.options, "--grace", "3600"]);
  using backup = await place.startBackup(serving);
  serving.signal("SIGTERM");
  await serving.said(/waiting for running backups/);
  await assert.rejects(connect(serving.port, serving.fingerprint), { code: "connection" });
  assert.deepEqual(await place.finished(), [false]);
  await backup.finish();
  assert.equal(await serving.end(), 0, serving.command.stderr);
  assert.deepEqual(await place.finished(), [true]);
  await mustPbs(["verify", "--repository", `dir:${place.store}`]);
});

for (
  const [what, grace, signals] of [
    ["after its time of grace", "1", 1],
    ["at once by a second signal", "3600", 2],
  ] as const
) {
  Deno.test(`pbs serve ends ${what}, and leaves nothing of a backup that was not finished`, async () => {
    using place = new Place();
    await place.addUser();
    await using serving = await Serving.start([...place.options, "--grace", grace]);
    using backup = await place.startBackup(serving);
    serving.signal("SIGTERM");
    if (signals === 2) {
      await serving.said(/waiting for running backups/);
      serving.signal("SIGINT");
    }
    assert.equal(await serving.end(), 0, serving.command.stderr);
    await backup.closed;
    await assert.rejects(backup.finish());
    assert.deepEqual(place.snapshots(), []);
    assert.deepEqual(await place.finished(), []);
    // What it has left is no hindrance.
    await using again = await Serving.start(place.options);
    using repeated = await place.startBackup(again);
    await repeated.finish();
    again.signal("SIGTERM");
    assert.equal(await again.end(), 0);
    assert.deepEqual(await place.finished(), [true]);
  });
}

Deno.test("pbs serve takes every option of a file; its command line counts more, and datastores of both are served", async () => {
  using place = new Place();
  await place.addUser();
  const other = place.home.join("other store");
  makeStore(other);
  const pair = await newPair();
  const [cert, key, log, config] = ["cert.pem", "key.pem", "access.log", "server.conf"]
    .map((name) => place.home.join(name)) as [string, string, string, string];
  Deno.writeTextFileSync(cert, pair.certificate);
  Deno.writeTextFileSync(key, pair.key);
  const lines = [
    "# a server",
    "",
    "listen = 127.0.0.1:1",
    `state-dir=${place.state}`,
    `  cert = ${cert}  `,
    `key = ${key}`,
    "metrics = 127.0.0.1:0",
    `access-log = ${log}`,
    "grace = 0",
    `datastore = other=${other}`,
  ];
  Deno.writeTextFileSync(config, lines.join("\n"));
  await using serving = await Serving.start([
    ...["--config", config, "--listen", `${HOST}:0`],
    ...["--datastore", `main=${place.store}`],
  ]);
  assert.equal(serving.fingerprint, await fingerprintOfPem(pair.certificate));
  const env = place.environment(serving);
  for (const store of ["main", "other"]) {
    const repository = `${USER}@${HOST}:${serving.port}:${store}`;
    const { code, stderr } = await runPbs(["list", "--repository", repository], { env });
    assert.equal(code, 0, stderr);
  }
  const [, url] = await serving.said(/metrics on (http:\/\/127\.0\.0\.1:\d+\/metrics)\n/);
  const metrics = await fetch(url!);
  assert.match(metrics.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
  const figures = await metrics.text();
  assert.match(figures, /^pbkfs_datastores 2$/m);
  assert.match(figures, /^pbkfs_requests_total\{status="2xx"\} [1-9]/m);
  assert.match(figures, /^pbkfs_sessions\{kind="backup"\} 0$/m);
  for (const each of [await fetch(`${url}/no`), await fetch(url!, { method: "POST" })]) {
    assert.equal(each.status, 404);
    await each.body?.cancel();
  }
  const logged = Deno.readTextFileSync(log).trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.ok(logged.some(({ event, authId }) => event === "request" && authId === USER));
  assert.ok(logged.some(({ event }) => event === "login"));
  assert.equal(serving.command.stdout, "");
  // The grace is that of the file: there is none.
  using backup = await place.startBackup(serving);
  serving.signal("SIGTERM");
  assert.equal(await serving.end(), 0);
  await backup.closed;
  assert.deepEqual(place.snapshots(), []);
});

Deno.test("pbs serve says what is wrong with its settings, and where, and does not start", async () => {
  using place = new Place();
  const config = place.home.join("server.conf");
  const good = `datastore = main=${place.store}\nlisten = ${HOST}:0\nstate-dir = ${place.state}\n`;
  const refused = async (text: string, code: number, pattern: RegExp) => {
    Deno.writeTextFileSync(config, text);
    const result = await runPbs(["serve", "--config", config]);
    assert.equal(result.code, code, `${text}: ${result.stderr}`);
    assert.match(result.stderr, pattern, text);
    assert.equal(result.stdout, "");
  };
  await refused("listen 127.0.0.1:0\n", 2, /server\.conf", line 1: expected "option = value"/);
  await refused(`${good}colour = red\n`, 2, /server\.conf", line 4: "colour" is no option/);
  await refused(`${good}constructor = x\n`, 2, /line 4: "constructor" is no option/);
  await refused(`${good}listen = ${HOST}:0\n`, 2, /line 4: "listen" is given twice/);
  await refused(`${good}cert = /none\n`, 2, /certificate without its key/);
  await refused(`${good}cert = /none\nkey = /none\n`, 1, /\/none/);
  await refused(`${good}grace = soon\n`, 2, /"soon"/);
  await refused(`${good}grace = -1\n`, 2, /"-1"/);
  await refused(`${good}metrics = 9100\n`, 2, /"9100"/);
  await refused(`${good}metrics = ${HOST}:70000\n`, 2, /70000/);
  await refused(`${good}datastore = main=/other\n`, 2, /two datastores "main"/);
  await refused(`${good}datastore = second=relative\n`, 2, /second=relative/);
  await refused(`${good}datastore = ../up=/x\n`, 2, /\.\.\/up/);
  await refused(`${good}datastore = none=${place.home.join("none")}\n`, 1, /none/);
  await refused(`listen = ${HOST}:0\n`, 2, /without a datastore/);
  Deno.removeSync(config);
  const missing = await runPbs(["serve", "--config", config]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /server\.conf/);
  const taken = Deno.listen({ hostname: HOST, port: 0 });
  const address = `${HOST}:${(taken.addr as Deno.NetAddr).port}`;
  try {
    await refused(good.replace(`${HOST}:0`, address), 1, new RegExp(`listen on ${address}`));
    await refused(`${good}metrics = ${address}\n`, 1, new RegExp(`listen on ${address}`));
    await refused(`${good}access-log = ${place.store}\n`, 1, /store/);
  } finally {
    taken.close();
  }
});
