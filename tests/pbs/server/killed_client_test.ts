import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { StateError } from "#src/errors.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { ROOT_NAMESPACE, snapshotDirectory } from "#src/pbs/format/snapshot_path.ts";
import { assertSound, makeStore, openStore } from "#tests/support/pbs_activity.ts";
import { denoRunCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const SERVER = fileURLToPath(new URL("./_tls_server_child.ts", import.meta.url));
const CLIENT = fileURLToPath(new URL("./_tls_client_child.ts", import.meta.url));
const PERMISSIONS = [
  "--allow-ffi",
  "--allow-read",
  "--allow-write",
  "--allow-sys",
  "--allow-net",
  "--allow-env",
];
const KILLS = 5;
const CLIENTS = 16;
const MEMORY_MAX = 300 << 20;

function exists(path: string): boolean {
  return hostFiles.status(path) !== undefined;
}

Deno.test("A server outlives clients that are killed, leaves nothing of their backups, and stays small with 16 of them", async () => {
  using home = new TempDirectory("clients");
  const path = home.join("store");
  makeStore(path);
  const store = openStore(path);
  const server = new RunningCommand(denoRunCommand(PERMISSIONS, SERVER, [path]), {
    interactive: true,
  });
  await waitUntil(() => server.stdout.includes("}"), 60_000, () => server.stderr);
  const address = server.stdout.trim();
  const startClients = (count: number, seconds: number, chunkBytes: number) => {
    const args = [address, `${count}`, `${seconds}`, `${chunkBytes}`];
    return new RunningCommand(denoRunCommand(PERMISSIONS, CLIENT, args), { interactive: true });
  };
  const unfinished = () =>
    store.groups(ROOT_NAMESPACE).flatMap((group) => store.snapshots(group))
      .map((id) => `${path}/${snapshotDirectory(id)}`)
      .filter((folder) => !exists(`${folder}/index.json.blob`) && exists(folder));
  const random = new Random(9);
  /** Removes all groups. @returns whether nobody has one locked any more */
  const clear = () => {
    for (const group of store.groups(ROOT_NAMESPACE)) {
      try {
        store.forgetGroup(group);
      } catch (error) {
        if (!(error instanceof StateError)) throw error;
      }
    }
    return store.groups(ROOT_NAMESPACE).length === 0;
  };
  for (let kill = 1; kill <= KILLS; kill++) {
    const client = startClients(4, 600, 50_000);
    await waitUntil(() => client.stdout.includes("begun"), 60_000, () => client.stderr, 2);
    await waitUntil(() => unfinished().length > 0, 60_000, () => client.stderr, 2);
    await new Promise((resolve) => setTimeout(resolve, random.between(0, 200)));
    client.signalGroup("SIGKILL");
    await client.wait(10_000);
    await waitUntil(() => unfinished().length === 0, 20_000, () => server.stderr);
    assertSound(store);
    await waitUntil(clear, 20_000, () => server.stderr);
  }
  const clients = startClients(CLIENTS, 3, 1_000_000);
  const { stdout, stderr } = await clients.wait(120_000);
  assert.equal(stderr, "");
  const { finishedCount, readBytes } = JSON.parse(stdout.split("\n")[1]!);
  assert.ok(finishedCount > 0 && readBytes > 0);
  assertSound(store);
  assert.deepEqual(unfinished(), []);
  server.closeInput();
  const ended = await server.wait(20_000);
  assert.equal(ended.stderr, "");
  const { peakBytes } = JSON.parse(ended.stdout.split("\n")[1]!);
  assert.ok(peakBytes < MEMORY_MAX, `${peakBytes >> 20} MiB`);
  store.close();
});
