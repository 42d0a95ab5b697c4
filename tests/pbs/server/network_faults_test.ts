/**
 * A client and a server over TLS and HTTP/2, through a network that cuts, truncates, corrupts,
 * doubles, delays and swallows bytes, in every phase of what they say to each other.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import type { Connection } from "#src/net/connection.ts";
import type { HttpClient } from "#src/net/http.ts";
import { Http2Client } from "#src/net/http2/client.ts";
import { fingerprintOfPem } from "#src/net/tls/certificate.ts";
import { connectServer, type ServerTimes } from "#src/pbs/client/api.ts";
import { createNetworkMailbox } from "#src/pbs/client/network_mailbox.ts";
import { NetworkCalls } from "#src/pbs/client/network_thread/network_calls.ts";
import type { ServerLogin } from "#src/pbs/client/server_login.ts";
import { hostFiles } from "#src/io/files/files.ts";
import type { Datastore } from "#src/pbs/datastore.ts";
import { snapshotDirectory } from "#src/pbs/format/snapshot_path.ts";
import { verifyStore } from "#src/pbs/verify/verify_store.ts";
import { answerMail } from "#src/threads/mailbox/answering.ts";
import { type Fault, type FaultProxy, faultProxy } from "#tests/support/fault_proxy.ts";
import { assertSound, makeStore, openStore } from "#tests/support/pbs_activity.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import {
  type Content,
  contentOf,
  notesOf,
  readSnapshot,
  snapshotOf,
  type Step,
  writeSnapshot,
} from "./_fault_steps.ts";
import type { StepRequest, StepResult } from "./fault_steps_worker.ts";
import { NetworkScene, PASSWORD } from "./rest/_network_scene.ts";

const AUTH_ID = "tester@pbs";
const FIRST_TIME = 1_700_000_000;
/** Cases at a time: some of them wait for a time-out. */
const LANES = 6;
/** In each direction of each phase. */
const CASES = 4;
/** What only time can end is ended soon. On a busy computer that may strike, too. */
const SHORT_MS = 2_500;
const SHORT_TIMES: ServerTimes = {
  answerTimeoutMs: SHORT_MS,
  connectTimeoutMs: SHORT_MS,
  pausesMs: [1],
};
const PATIENT_MS = 60_000;
const PATIENT_TIMES: ServerTimes = { answerTimeoutMs: PATIENT_MS, connectTimeoutMs: PATIENT_MS };
/** Any number of attempts, each with its time-out. */
const STEP_TIMEOUT_MS = 60_000;
const KINDS = ["cut", "truncate", "corrupt", "duplicate", "delay"] as const;
const PHASES: Readonly<Record<Step["what"], readonly string[]>> = {
  "back up": [
    "connection 0",
    "connection 1",
    "GET /previous",
    "POST /fixed_index",
    "POST /fixed_chunk",
    "PUT /fixed_index",
    "POST /fixed_close",
    "POST /dynamic_index",
    "POST /dynamic_chunk",
    "PUT /dynamic_index",
    "POST /dynamic_close",
    "POST /blob",
    "POST /finish",
  ],
  "restore": ["connection 0", "connection 1", "GET /download", "GET /chunk"],
  "look around": ["connection 0"],
  "sync to": [
    "connection 0",
    "connection 1",
    "GET /previous",
    "POST /fixed_index",
    "POST /fixed_chunk",
    "PUT /fixed_index",
    "POST /dynamic_chunk",
    "POST /dynamic_close",
    "POST /blob",
    "POST /finish",
  ],
  "sync from": ["connection 0", "connection 1", "GET /download", "GET /chunk"],
};
/** Of a sync there are fewer. */
const SYNC_CASES = 2;

/** Where in a conversation a phase begins. */
interface Mark {
  readonly phase: string;
  readonly connection: number;
  readonly begin: Readonly<Record<Fault["direction"], number>>;
}

/** A step with a fault. */
interface Case {
  readonly step: Step;
  readonly phase: string;
  readonly fault: Fault;
}

/** A connection that tells of each call, and waits no longer than `timeoutMs` for its answer. */
function watched(
  client: HttpClient,
  timeoutMs: number,
  onCall: (phase: string) => void,
): HttpClient {
  return {
    closed: client.closed,
    close: () => client.close(),
    send: (call) => {
      onCall(`${call.method} ${call.target.replace(/\?.*/, "")}`);
      return client.send({ ...call, timeoutMs: Math.min(call.timeoutMs, timeoutMs) });
    },
  };
}

/** How a client connects. */
interface Connecting {
  readonly login: ServerLogin;
  readonly times: ServerTimes;
  readonly onCall?: (phase: string) => void;
}

/** A client in a thread of its own. Its connections are those of this thread. */
class Client {
  readonly #mailbox = createNetworkMailbox();
  readonly #thread = new Worker(new URL("./fault_steps_worker.ts", import.meta.url), {
    type: "module",
  });
  #calls!: NetworkCalls;

  constructor() {
    void answerMail(this.#mailbox, (mail) => this.#calls.handle(mail));
  }

  /** Takes steps over connections of their own. */
  async connected<Result>(
    { login, times, onCall = () => {} }: Connecting,
    use: (take: (step: Step) => Promise<StepResult>) => Promise<Result>,
  ): Promise<Result> {
    const speak = (connection: Connection) =>
      watched(new Http2Client(connection), times.answerTimeoutMs!, onCall);
    this.#calls = new NetworkCalls(() => connectServer(login, speak, times), () => {});
    try {
      return await use((step) => this.#take(step));
    } finally {
      await this.#calls.close();
    }
  }

  close(): void {
    this.#thread.terminate();
  }

  #take(step: Step): Promise<StepResult> {
    return new Promise((resolve, reject) => {
      const what = () => new Error(`nothing has come of ${JSON.stringify(step)}`);
      const timer = setTimeout(() => reject(what()), STEP_TIMEOUT_MS);
      this.#thread.onmessage = ({ data }: MessageEvent<StepResult>) => {
        clearTimeout(timer);
        resolve(data);
      };
      const request: StepRequest = { mailbox: this.#mailbox, authId: AUTH_ID, step };
      this.#thread.postMessage(request);
    });
  }
}

/** The server, its store, and whoever logs in to it. */
class FaultScene implements AsyncDisposable {
  readonly #network: NetworkScene;
  /** The server's store. */
  readonly #local: Datastore;
  readonly #home = new TempDirectory("faults");
  /** What is synced to the server, and what from it. */
  readonly #others = {
    "sync to": this.#makeOther("source"),
    "sync from": this.#makeOther("target"),
  };
  readonly #login: ServerLogin;
  /** How often bytes were struck, by phase. */
  readonly strikes = new Map<string, number>();
  /** Steps that failed. */
  failures = 0;

  private constructor(network: NetworkScene, login: ServerLogin) {
    this.#network = network;
    this.#local = openStore(network.storePath, 20_000);
    this.#login = login;
  }

  static async start(): Promise<FaultScene> {
    const network = await NetworkScene.start();
    network.add(AUTH_ID, "DatastoreAdmin");
    // A ticket does as a password, and is checked sooner.
    const { ticket } = JSON.parse((await network.login(AUTH_ID, PASSWORD)).text).data;
    const { host, port } = network.server;
    const fingerprint = await fingerprintOfPem(network.certificate);
    const login = { host, port, authId: AUTH_ID, password: ticket, fingerprint, authorities: [] };
    return new FaultScene(network, login);
  }

  /** A step with the store that it syncs, if it does. */
  step(what: Step["what"], seed: number): Step {
    const other = what === "sync to" || what === "sync from" ? this.#others[what] : undefined;
    return { what, seed, time: FIRST_TIME + 1, localPath: other?.localPath };
  }

  /** Learns where the phases of a step begin. */
  async marks(client: Client, step: Step): Promise<readonly Mark[]> {
    this.#prepare(step);
    const marks: Mark[] = [];
    await this.#through(undefined, async (proxy, login) => {
      const mark = (phase: string) => {
        const connection = proxy.traffic.length - 1;
        if (marks.some((one) => one.phase === phase && one.connection === connection)) return;
        marks.push({ phase, connection, begin: { ...proxy.traffic[connection]! } });
      };
      const connecting = { login, times: PATIENT_TIMES, onCall: mark };
      const result = await client.connected(connecting, (take) => take(step));
      ok("content" in result, JSON.stringify(result));
      proxy.traffic.forEach((end, connection) => {
        const begin = { "to server": 0, "to client": 0 };
        marks.push({ phase: `connection ${connection}`, connection, begin });
        marks.push({ phase: "end", connection, begin: { ...end } });
      });
    });
    return marks;
  }

  /** Has a fault strike a step, and looks at what is left of it. */
  async run(client: Client, { step, fault, phase }: Case): Promise<void> {
    this.#prepare(step);
    const place = `${JSON.stringify(step)}, ${phase}: ${JSON.stringify(fault)}`;
    const result = await this.#through(fault, async (proxy, login) => {
      const onCall = (call: string) => call === phase && proxy.begin();
      const connecting = { login, times: SHORT_TIMES, onCall };
      const result = await client.connected(connecting, (take) => take(step));
      if (proxy.strikes > 0) count(this.strikes, `${step.what}: ${phase}`);
      if ("failure" in result) {
        ok(result.isTyped, `${place}: ${result.failure}`);
        // What a busy computer has timed out, the server may be at when it is tried again.
        const isLate = result.code === "timeout" || result.code === "locked";
        ok(proxy.strikes > 0 || isLate, `${place}: ${result.failure}`);
        this.failures++;
      }
      return result;
    });
    try {
      // What has got the group is followed by nothing of the one before it.
      await this.#retry(client, step);
      this.#checkStored(step, result);
    } catch (error) {
      throw new Error(place, { cause: error });
    }
  }

  /** Every chunk of every snapshot is as it was sent. */
  check(): number {
    return assertSound(this.#local);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const store of [this.#local, ...Object.values(this.#others)]) store.close();
    this.#home[Symbol.dispose]();
    await this.#network[Symbol.asyncDispose]();
  }

  /** Makes what is there before the step: a snapshot to be based on, or to be read. */
  #prepare(step: Step): void {
    const isSent = step.what === "back up" || step.what === "sync to";
    this.#make(this.#local, isSent ? before(step) : step);
    if (step.what !== "sync to") return;
    for (const one of [before(step), step]) this.#make(this.#others["sync to"], one);
  }

  #make(store: Datastore, step: Step): void {
    writeSnapshot(store.startSnapshot({ ...snapshotOf(step), owner: AUTH_ID }), contentOf(step));
  }

  #makeOther(name: string): Datastore {
    const path = this.#home.join(name);
    makeStore(path);
    return openStore(path, 20_000);
  }

  async #through<Result>(
    fault: Fault | undefined,
    use: (proxy: FaultProxy, login: ServerLogin) => Promise<Result>,
  ): Promise<Result> {
    let result: Result;
    await faultProxy(this.#login.port, fault, async (proxy) => {
      result = await use(proxy, { ...this.#login, host: "127.0.0.1", port: proxy.port });
    }, this.#login.host);
    return result!;
  }

  #checkStored(step: Step, result: StepResult): void {
    const id = snapshotOf(step);
    const store = step.what === "sync from" ? this.#others[step.what] : this.#local;
    const folder = `${store.localPath}/${snapshotDirectory(id)}`;
    const listed = store.snapshots(id.group).some(({ time }) => time === id.time);
    equal(hostFiles.status(folder) !== undefined, listed);
    if ("content" in result) this.#checkResult(step, result.content);
    else ok(listed || step.what === "back up");
    if (listed) {
      ok(store.snapshotInfo(id).isFinished);
      deepEqual(readSnapshot(store.openSnapshot(id)), contentOf(step));
    }
    const report = verifyStore(store, { kind: "group", group: id.group });
    deepEqual(report.snapshots.flatMap(({ faults }) => faults.map(({ message }) => message)), []);
  }

  async #retry(client: Client, step: Step): Promise<void> {
    await client.connected({ login: this.#login, times: PATIENT_TIMES }, async (take) => {
      const done = async (again: Step) => {
        let result = await take(again);
        const end = performance.now() + STEP_TIMEOUT_MS;
        // The server may still be busy with what was broken off.
        while ("failure" in result && result.code === "locked" && performance.now() < end) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          result = await take(again);
        }
        ok("content" in result, JSON.stringify(result));
        return result.content;
      };
      const again = step.what === "back up" ? { ...step, time: step.time + 1 } : step;
      this.#checkResult(again, await done(again));
    });
  }

  /** @param content what was read in the step */
  #checkResult(step: Step, content: Content): void {
    switch (step.what) {
      case "back up":
      case "sync to":
        return deepEqual(readSnapshot(this.#local.openSnapshot(snapshotOf(step))), contentOf(step));
      case "sync from": {
        const target = this.#others["sync from"];
        return deepEqual(readSnapshot(target.openSnapshot(snapshotOf(step))), contentOf(step));
      }
      case "restore":
        return deepEqual(content, contentOf(step));
      case "look around":
        equal(content["listed"]![0], 1);
        return equal(new TextDecoder().decode(content["notes"]), notesOf(step));
    }
  }
}

function before(step: Step): Step {
  return { ...step, time: step.time - 1 };
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Faults of every kind in both directions of every phase. */
function casesOf(
  what: Step["what"],
  marks: readonly Mark[],
  firstSeed: number,
  stepOf: (seed: number) => Step,
): Case[] {
  const random = new Random(firstSeed);
  let seed = firstSeed;
  const isSync = what.startsWith("sync");
  const [count, stallsOneIn] = isSync ? [SYNC_CASES, 6] : [CASES, 2];
  return marks.filter(({ phase }) => PHASES[what].includes(phase)).flatMap((mark, number) =>
    (["to server", "to client"] as const).flatMap((direction, side) => {
      const from = mark.begin[direction];
      const ends = marks.filter(({ connection }) => connection === mark.connection)
        .map(({ begin }) => begin[direction]).filter((end) => end > from);
      const to = ends.length === 0 ? from + 1 : Math.min(...ends);
      return Array.from({ length: count }, (_, index): Case => {
        // What only time ends takes its time, most of all where much is asked one by one.
        const kind = index === 0 && number % stallsOneIn === side
          ? "stall"
          : KINDS[(index + number) % KINDS.length]!;
        // The bytes before a call are more or fewer from case to case.
        const isLater = !mark.phase.startsWith("connection");
        const at = random.between(from, to - 1) - (isLater ? from : 0);
        return {
          step: stepOf(++seed),
          phase: mark.phase,
          fault: { kind, direction, at, isLater, connection: mark.connection },
        };
      });
    })
  );
}

Deno.test("Faults of the network in every phase: right bytes or a typed error, nothing half done, and a retry succeeds", async () => {
  await using scene = await FaultScene.start();
  const clients = Array.from({ length: LANES }, () => new Client());
  try {
    const cases: Case[] = [];
    for (const what of Object.keys(PHASES) as Step["what"][]) {
      const firstSeed = 10_000 * (Object.keys(PHASES).indexOf(what) + 1);
      const stepOf = (seed: number) => scene.step(what, seed);
      const marks = await scene.marks(clients[0]!, stepOf(firstSeed));
      cases.push(...casesOf(what, marks, firstSeed, stepOf));
    }
    const total = cases.length;
    await Promise.all(clients.map(async (client) => {
      for (let one = cases.shift(); one !== undefined; one = cases.shift()) {
        await scene.run(client, one);
      }
    }));
    ok(scene.check() > total);
    ok(scene.failures > total / 4, `only ${scene.failures} of ${total} steps failed`);
    for (const [what, phases] of Object.entries(PHASES)) {
      for (const phase of phases) ok(scene.strikes.has(`${what}: ${phase}`), `${what}: ${phase}`);
    }
  } finally {
    for (const client of clients) client.close();
  }
});
