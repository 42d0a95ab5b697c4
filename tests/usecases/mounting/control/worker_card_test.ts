import assert from "node:assert/strict";
import { HostProcess, ownProcess } from "#src/io/process.ts";
import {
  OwnCard,
  parseCard,
  WORKER_PROCESS_NAME,
  WorkerCard,
} from "#src/usecases/mounting/control/worker_card.ts";
import { RunningCommand, waitUntil } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const CARD = {
  edition: 2,
  start_ticks: 1,
  executable: "1:2",
  state: "mounted",
  mount_path: "/mnt",
  last_edition: 2,
};

let card: OwnCard | undefined;

/** The card of this process. It stays: there is no worker without one. */
function ownCard(): OwnCard {
  return card ??= OwnCard.publish("/mnt/x");
}

Deno.test("parseCard() refuses what has parts of two editions, and what is no card", () => {
  assert.equal(parseCard(JSON.stringify(CARD))?.state, "mounted");
  assert.equal(parseCard(JSON.stringify({ ...CARD, last_edition: 3 })), undefined);
  assert.equal(parseCard(JSON.stringify({ ...CARD, state: "?" })), undefined);
  assert.equal(parseCard(`${JSON.stringify(CARD)}}`), undefined);
  assert.equal(parseCard(""), undefined);
});

Deno.test("WorkerCard.find() reads what a process says of itself, as it changes", () => {
  const card = ownCard();
  using own = ownProcess();
  using found = WorkerCard.find(own);
  assert.ok(found !== undefined);
  assert.deepEqual([found.read().state, found.read().mount_path], ["starting", "/mnt/x"]);
  card.update({ state: "failed", failure: { code: "EIO", message: "x".repeat(5000) } });
  assert.equal(found.read().failure?.message.length, 5000);
  card.update({ state: "ended", failure: { code: "x", message: "" } });
  assert.equal(found.read().state, "ended");
  card.showStatistics({ a: 1 });
  card.showStatistics({ a: 2 });
  assert.deepEqual(found.read().statistics, { number: 2, report: { a: 2 } });
});

Deno.test("WorkerCard.find() does not take a process for a worker that has another one's card", async () => {
  using directory = new TempDirectory("card");
  ownCard();
  using own = ownProcess();
  const { fd } = own.descriptors().find(({ target }) => target.includes("memfd:pbkfs-worker"))!;
  // A program of the name, with the card open: as one that inherited it, or was handed it.
  const program = directory.join(WORKER_PROCESS_NAME);
  Deno.copyFileSync("/bin/sleep", program);
  const script = 'exec 3<"$1"; exec "$2" 60';
  const stranger = new RunningCommand(
    ["sh", "-c", script, "sh", `/proc/${Deno.pid}/fd/${fd}`, program],
  );
  try {
    using process = await opened(stranger.pid!);
    await waitUntil(() => process.name === WORKER_PROCESS_NAME, 10_000, () => "not started");
    assert.ok(process.descriptors().some(({ target }) => target.includes("pbkfs-worker")));
    assert.equal(WorkerCard.find(process), undefined);
  } finally {
    stranger.signalGroup("SIGKILL");
    await stranger.wait(10_000);
  }
});

async function opened(pid: number): Promise<HostProcess> {
  let process: HostProcess | undefined;
  await waitUntil(
    () => (process = HostProcess.open(pid)) !== undefined,
    10_000,
    () => "no process",
  );
  return process!;
}
