/** Snapshots copied to an embedded server and from there, by the executable and over TLS. */

import assert from "node:assert/strict";
import { assertSame } from "#tests/pbs/sync/_compare.ts";
import { backUp } from "#tests/pbs/sync/_server_snapshot.ts";
import { assertSound, makeStore, openStore } from "#tests/support/pbs_activity.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { runCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const TIMEOUT_MS = 60_000;
const USER = "me@pbs";
const PASSWORD = "a password of the test";

Deno.test("pbs sync copies to a server and from there, as it is stored", async () => {
  using home = new TempDirectory("sync-server");
  const paths = ["source", "served", "copy"].map((name) => home.join(name));
  paths.forEach(makeStore);
  const [source, served, copy] = paths.map((path) => openStore(path));
  const random = new Random(8);
  for (let day = 1; day <= 2; day++) {
    for (const id of ["a", "b"]) backUp(source!, random, id, day);
  }

  const state = ["--state-dir", home.join("state")];
  Deno.writeTextFileSync(home.join("password"), `${PASSWORD}\n`);
  const pbs = (...args: string[]) => pbkfsCommand(["pbs", ...args]);
  const serve = (...args: string[]) =>
    runCommand(pbs("serve", ...args, ...state), { timeoutMs: TIMEOUT_MS });
  await serve("user", "add", USER, "--password-file", home.join("password"));
  await serve("acl", "add", "/", USER, "admin");
  const server = new RunningCommand(
    pbs("serve", "--listen", "127.0.0.1:0", "--datastore", `main=${paths[1]}`, ...state),
  );
  try {
    const found = (pattern: RegExp) => pattern.exec(server.stdout + server.stderr)?.[1];
    await waitUntil(
      () => found(/fingerprint: (\S+)/) !== undefined,
      TIMEOUT_MS,
      () => server.stderr,
    );
    const repository = `${USER}@127.0.0.1:${found(/listening on \S+:(\d+)/)}:main`;
    const env = {
      HOME: home.path,
      PBS_PASSWORD: PASSWORD,
      PBS_FINGERPRINT: found(/fingerprint: (\S+)/)!,
    };
    const sync = async (from: string, to: string) => {
      const args = pbs("sync", from, to, "--format", "json");
      const { stdout } = await runCommand(args, { timeoutMs: TIMEOUT_MS, env });
      return JSON.parse(stdout);
    };
    assert.equal((await sync(`dir:${paths[0]}`, repository)).copied, 4);
    assert.equal((await sync(`dir:${paths[0]}`, repository)).present, 4);
    assert.equal((await sync(repository, `dir:${paths[2]}`)).copied, 4);
  } finally {
    server.signalGroup("SIGTERM");
    await server.wait(TIMEOUT_MS);
  }
  for (const store of [served!, copy!]) {
    assertSame(source!, store, true);
    assertSound(store);
  }
  for (const store of [source, served, copy]) store!.close();
});
