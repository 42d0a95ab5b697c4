/**
 * The life of a datastore, by the executable: backups, retention, garbage, damage.
 *
 * @module
 */

import assert from "node:assert/strict";
import { CHECK_DATASTORE, CHECKER_PYTHON } from "#tests/support/pbs_fixtures.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { type CommandResult, runCommand } from "#tests/support/process.ts";
import { MemoryDisk } from "#tests/support/memory_disk.ts";

const TIMEOUT_MS = 60_000;
const DAYS = ["2024-01-09", "2024-01-10", "2024-01-11", "2024-01-12"];
const MINUTE_MS = 60_000;
const TWO_DAYS_MS = 2 * 86_400_000;

/** A datastore with a directory to be backed up. */
class Place implements AsyncDisposable {
  readonly #disk: MemoryDisk;
  readonly store: string;
  readonly source: string;
  readonly key: string;

  private constructor(disk: MemoryDisk) {
    this.#disk = disk;
    this.store = disk.join("store");
    this.source = disk.join("source");
    this.key = disk.join("key.json");
    Deno.mkdirSync(this.source);
  }

  static async create(): Promise<Place> {
    const place = new Place(await MemoryDisk.create());
    await place.run(["datastore", "create", place.store]);
    return place;
  }

  run(args: readonly string[], check = true): Promise<CommandResult> {
    return runCommand(pbkfsCommand(["pbs", ...args]), {
      timeoutMs: TIMEOUT_MS,
      check,
      env: {
        PBS_REPOSITORY: `dir:${this.store}`,
        XDG_CONFIG_HOME: this.#disk.join("config"),
        TZ: "UTC",
      },
    });
  }

  async json(...args: string[]) {
    return JSON.parse((await this.run([...args, "--format", "json"])).stdout);
  }

  /** Backs up contents that differ every day, and some that never do. */
  async backUp(day: string, ...options: string[]): Promise<void> {
    Deno.writeTextFileSync(`${this.source}/same`, "always the same\n".repeat(100_000));
    Deno.writeTextFileSync(`${this.source}/${day}`, `${day}\n`.repeat(200_000));
    const archives = [`root.pxar:${this.source}`, `day.conf:${this.source}/${day}`];
    const time = String(Date.parse(`${day}T10:00:00Z`) / 1000);
    await this.run([
      "backup",
      ...archives,
      "--backup-id",
      "db1",
      "--backup-time",
      time,
      ...options,
    ]);
  }

  async snapshots(): Promise<string[]> {
    const records = await this.json("snapshots");
    return records.map((record: { "backup-time": number }) =>
      new Date(record["backup-time"] * 1000).toISOString().slice(0, 10)
    );
  }

  /** Every chunk of the store. */
  async chunks(): Promise<string[]> {
    const command = ["find", `${this.store}/.chunks`, "-type", "f"];
    const { stdout } = await runCommand(command, { timeoutMs: TIMEOUT_MS });
    return stdout.trimEnd().split("\n");
  }

  /** Makes all chunks look as if nobody had used them for so long. */
  async ageChunks(ageMs: number): Promise<void> {
    for (const path of await this.chunks()) {
      const { mtime } = Deno.statSync(path);
      Deno.utimeSync(path, new Date(Date.now() - ageMs), mtime!);
    }
  }

  /** Asks the independent checker. @returns its last line */
  async check(...options: string[]): Promise<string> {
    if (CHECK_DATASTORE === undefined) return "";
    const command = [CHECKER_PYTHON, CHECK_DATASTORE, this.store, ...options];
    const { stdout } = await runCommand(command, { timeoutMs: TIMEOUT_MS });
    return stdout.trimEnd().split("\n").at(-1)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#disk[Symbol.asyncDispose]();
  }
}

Deno.test("pbs keeps what retention says, and garbage collection frees the rest", async () => {
  await using place = await Place.create();
  for (const day of DAYS) await place.backUp(day);
  assert.deepEqual(await place.snapshots(), DAYS);
  await place.check();

  await place.run(["protect", "host/db1/2024-01-09T10:00:00Z"]);
  const keep = ["prune", "host/db1", "--keep-daily", "2"];
  const plan = await place.json(...keep, "--dry-run");
  assert.deepEqual(
    plan.map((record: { reason: unknown }) => record.reason),
    ["protected", null, "daily", "daily"],
  );
  assert.deepEqual(await place.snapshots(), DAYS);
  assert.deepEqual(await place.json(...keep), plan);
  assert.deepEqual(await place.snapshots(), [DAYS[0], DAYS[2], DAYS[3]]);

  // Times of use count in whole seconds: chunks of the second in which the run begins are not
  // pending yet.
  await place.ageChunks(MINUTE_MS);
  const young = await place.json("gc");
  const before = (await place.chunks()).length;
  assert.equal(young["removed-chunks"], 0);
  assert.ok(young["pending-chunks"] > 0);
  assert.equal(young["index-file-count"], 6);
  await place.ageChunks(TWO_DAYS_MS);
  const { stdout } = await place.run(["gc", "--format", "jsonl"]);
  const events = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  const summary = events.at(-1);
  assert.equal(summary.type, "summary");
  assert.ok(events.slice(0, -1).every((event) => event.type === "progress"));
  assert.equal(summary["removed-chunks"], young["pending-chunks"]);
  assert.equal((await place.chunks()).length, before - summary["removed-chunks"]);
  const status = await place.json("status", "--verbose");
  assert.equal(status["gc-status"]["removed-chunks"], summary["removed-chunks"]);
  assert.deepEqual(status.counts.host, { groups: 1, snapshots: 3 });
  assert.match(await place.check(), /^$|unreferenced_chunks=[01] /);

  const verified = await place.json("verify");
  assert.equal(verified.ok, true);
  assert.deepEqual(
    verified.snapshots.map(({ result }: { result: string }) => result),
    ["ok", "ok", "ok"],
  );
  for (const record of await place.json("snapshots")) {
    assert.equal(record.verification.state, "ok");
  }
  await place.check();
});

Deno.test("pbs verify finds damage, and the next backup repairs it", async () => {
  await using place = await Place.create();
  await place.backUp(DAYS[0]!);
  const largest = (await place.chunks())
    .toSorted((a, b) => Deno.statSync(b).size - Deno.statSync(a).size)[0]!;
  const bytes = Deno.readFileSync(largest);
  bytes[bytes.length - 1]! ^= 1;
  Deno.writeFileSync(largest, bytes);

  const looked = await place.run(["verify", "--read-only"], false);
  assert.equal(looked.code, 1);
  assert.ok((await place.chunks()).includes(largest));
  const { code, stdout } = await place.run(["verify", "--format", "jsonl"], false);
  assert.equal(code, 1);
  const events = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  const fault = events.find((event) => event.type === "fault");
  assert.equal(fault.snapshot, "host/db1/2024-01-09T10:00:00Z");
  assert.equal(fault.file, "root.pxar.didx");
  assert.equal(events.at(-1).ok, false);
  assert.ok((await place.chunks()).includes(`${largest}.0.bad`));
  assert.equal((await place.json("snapshots"))[0].verification.state, "failed");

  await place.backUp(DAYS[0]!.replace("09", "10"));
  Deno.removeSync(`${place.source}/2024-01-10`);
  const again = await place.json("verify", "--no-ignore-verified", "host/db1/2024-01-10T10:00:00Z");
  assert.equal(again.ok, true);
});

Deno.test("pbs encrypts with the default key, and keeps the key for the master key", async () => {
  await using place = await Place.create();
  await place.run(["key", "create", place.key, "--kdf", "none"]);
  await place.backUp(DAYS[0]!, "--keyfile", place.key);
  const [snapshot] = await place.json("snapshots");
  const key = await place.json("key", "show", place.key);
  assert.equal(snapshot.fingerprint, key.fingerprint);
  assert.equal(snapshot.files[0]["crypt-mode"], "encrypt");
  await place.run(["key", "create", "--kdf", "none"]);
  await place.backUp(DAYS[1]!);
  const [, second] = await place.json("snapshots");
  assert.equal(second.fingerprint, (await place.json("key", "show")).fingerprint);
  assert.match(await place.check("--key", place.key), /^$|^ok /);
  const verified = await place.json(
    "verify",
    "host/db1/2024-01-09T10:00:00Z",
    "--keyfile",
    place.key,
  );
  assert.equal(verified.ok, true);
});

Deno.test("pbs tells what it does on a terminal", async () => {
  await using place = await Place.create();
  await place.backUp(DAYS[0]!);
  const line = pbkfsCommand(["pbs", "verify", "--repository", place.store]).join(" ");
  const { stdout } = await runCommand(["script", "-qec", line, "/dev/null"], {
    timeoutMs: TIMEOUT_MS,
  });
  assert.match(stdout, /verified \d+ chunks, .* stored, .* plain; 1 snapshots are good, 0 failed/);
});
