/**
 * Random changes by several processes at once to the mount of a random chain, against a model in
 * memory: with clean and killed mounts between the rounds, and the page cache dropped under them.
 *
 * `PBKFS_FUZZ_SEED` chooses the first seed, `PBKFS_FUZZ_RUNS` how many follow it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { CatalogWriter } from "#tests/pgprobackup/_catalog_writer.ts";
import { MountPlace, type MountRequest } from "#tests/support/pbkfs.ts";
import { denoRunCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";
import { CLIENT_COUNT, makeChain } from "#tests/support/property_chain.ts";
import type { PropertyOrder } from "#tests/support/property_child.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { storeState } from "#tests/support/walk.ts";

const CHILD = fileURLToPath(new URL("../support/property_child.ts", import.meta.url));
const SEED = Number(Deno.env.get("PBKFS_FUZZ_SEED") ?? 20261121);
const RUNS = Number(Deno.env.get("PBKFS_FUZZ_RUNS") ?? 4);
const ROUNDS = 5;
const ANSWER_TIMEOUT_MS = 60_000;

/** A process that works on the mount. */
class Client {
  readonly #command: RunningCommand;
  readonly #name: string;
  #ordered = 0;
  #hasEnded = false;

  constructor(root: string, client: number, seed: number, readsPastCache: boolean) {
    this.#name = `client ${client} of seed ${seed}`;
    const args = [root, String(client), String(seed), readsPastCache ? "direct" : ""];
    this.#command = new RunningCommand(denoRunCommand(["--allow-ffi"], CHILD, args), {
      interactive: true,
    });
    this.#command.ended.finally(() => this.#hasEnded = true);
  }

  /** Gives an order and waits for the answer. @returns the number in it */
  async order(order: PropertyOrder): Promise<number> {
    const wanted = ++this.#ordered;
    this.#command.write(`${JSON.stringify(order)}\n`);
    const answers = () => this.#command.stdout.split("\n").slice(0, -1);
    await waitUntil(
      () => answers().length >= wanted || this.#hasEnded,
      ANSWER_TIMEOUT_MS,
      () => `${this.#name}: ${JSON.stringify(order)}\n${this.#command.stderr}`,
      5,
    );
    const answer = answers()[wanted - 1];
    if (answer === undefined) {
      const { code, stderr } = await this.#command.ended;
      throw new Error(`${this.#name} ended with ${code} at ${JSON.stringify(order)}\n${stderr}`);
    }
    return Number(answer.split(" ")[1]);
  }

  async end(): Promise<void> {
    this.#command.closeInput();
    this.#command.signalGroup("SIGKILL");
    await this.#command.ended;
  }
}

function all(clients: readonly Client[], order: PropertyOrder): Promise<number[]> {
  return Promise.all(clients.map((client) => client.order(order)));
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Takes what is clean out of the page cache. Only root may. */
async function dropCaches(): Promise<void> {
  if (Deno.uid() !== 0) return;
  const script = "echo 3 > /proc/sys/vm/drop_caches";
  await new RunningCommand(["sh", "-c", script]).wait(20_000);
}

/** One round of work on the mount, and how it ends. */
class Rounds {
  readonly #place: MountPlace;
  readonly #clients: readonly Client[];
  readonly #random: Random;
  readonly #remount: MountRequest;

  constructor(
    place: MountPlace,
    remount: MountRequest,
    clients: readonly Client[],
    random: Random,
  ) {
    this.#place = place;
    this.#remount = remount;
    this.#clients = clients;
    this.#random = random;
  }

  async run(): Promise<string> {
    const ending = this.#random.pick(["go on", "remount", "kill after", "kill during"] as const);
    if (ending === "kill during") {
      await this.#workAndKill();
    } else {
      await this.#work();
      await all(this.#clients, { kind: "verify" });
    }
    if (ending === "go on") return ending;
    await all(this.#clients, { kind: "close" });
    if (ending === "kill after") Deno.kill(this.#place.workerPid(), "SIGKILL");
    if (ending === "remount") await this.#place.unmount();
    else await this.#place.unmountByForce();
    await this.#place.mount(this.#remount);
    await all(this.#clients, { kind: "settle" });
    return ending;
  }

  async #work(): Promise<void> {
    const order = { kind: "work", count: this.#random.between(50, 250), isDoomed: false } as const;
    const work = all(this.#clients, order);
    // A failure that comes early is told when it is waited for.
    work.catch(() => {});
    for (let count = this.#random.between(0, 2); count > 0; count--) {
      await delay(this.#random.between(10, 150));
      await dropCaches();
    }
    await work;
  }

  /** Mappings would not survive, so what is open is closed before. */
  async #workAndKill(): Promise<void> {
    await all(this.#clients, { kind: "close" });
    const work = all(this.#clients, { kind: "work", count: 20_000, isDoomed: true });
    work.catch(() => {});
    await delay(this.#random.between(50, 600));
    Deno.kill(this.#place.workerPid(), "SIGKILL");
    await work;
  }
}

async function run(seed: number): Promise<void> {
  using home = new TempDirectory("property");
  const store = home.join("catalog");
  const writer = new CatalogWriter(store);
  const backupId = makeChain(seed).backups.map((backup) => writer.write(backup)).at(-1)!;
  const before = await storeState(store);
  await using place = new MountPlace("property");
  // Most mounts are as a user has them without asking.
  const options = seed % 4 === 1 ? ["--workers", "4"] : seed % 2 === 0 ? ["--hydrate"] : [];
  Deno.env.set("PBKFS_MATERIALIZE_ON_READ", String(seed % 4 === 3));
  await place.mount({ store, instance: "main", backupId, options });
  const clients = Array.from(
    { length: CLIENT_COUNT },
    // The kernel serves what is hydrated, and the disk below takes such reads only at its sectors.
    (_, client) => new Client(place.root, client, seed, !options.includes("--hydrate")),
  );
  const endings: string[] = [];
  try {
    await all(clients, { kind: "verify" });
    const rounds = new Rounds(place, { store, options }, clients, new Random(seed, 3));
    for (let round = 0; round < ROUNDS; round++) endings.push(await rounds.run());
    await all(clients, { kind: "close" });
    await place.unmount();
  } catch (error) {
    const path = [...endings, "…"].join(", ");
    throw new Error(`PBKFS_FUZZ_SEED=${seed} PBKFS_FUZZ_RUNS=1, rounds: ${path}`, { cause: error });
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
  assert.equal(await storeState(store), before, "the store is unchanged");
}

Deno.test("a mount equals a model under random changes by several processes", async (test) => {
  try {
    for (let seed = SEED; seed < SEED + RUNS; seed++) {
      await test.step(`seed ${seed}`, () => run(seed));
    }
  } finally {
    Deno.env.delete("PBKFS_MATERIALIZE_ON_READ");
  }
});
