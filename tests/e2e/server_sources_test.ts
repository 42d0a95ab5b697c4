/**
 * Snapshots of a server by the names of sources, in a program that uses the library.
 *
 * @module
 */

import assert from "node:assert/strict";
import { HostAccessor } from "#src/backup/client/host_accessor.ts";
import { LocalClient } from "#src/backup/client/local_client.ts";
import { AuthError, UsageError } from "#src/errors.ts";
import { type Credentials, openSource } from "#src/sources/mod.ts";
import { copySource } from "#src/usecases/copying/mod.ts";
import { mount } from "#src/usecases/mounting/mod.ts";
import { BackupStore } from "#src/usecases/pull/mod.ts";
import { survivePowerCuts } from "#tests/overlay/_power_cuts.ts";
import { runCommand } from "#tests/support/process.ts";
import { mustPbs, ServedStore } from "./_served_store.ts";

Deno.test("openSource() and mount() read snapshots of a server by name, plain and encrypted", async () => {
  await using served = await ServedStore.start();
  const { home, repository } = served;
  const key = home.join("key");
  await mustPbs(["key", "create", key, "--kdf", "none"]);
  Deno.mkdirSync(home.join("tree"));
  Deno.writeTextFileSync(home.join("tree/file"), "content\n".repeat(9000));
  const root = `root.pxar:${home.join("tree")}`;
  await served.must(["namespace", "create", "team"]);
  await served.must(["backup", root, "--backup-id", "plain"]);
  await served.must(["backup", root, "--backup-id", "sealed", "--ns", "team", "--keyfile", key]);
  const { data } = JSON.parse(Deno.readTextFileSync(key));
  const credentials: Credentials = {
    encryptionKey: () => Promise.resolve(Uint8Array.fromBase64(data)),
    serverLogin: (server) => {
      assert.equal(server.authId, "me@pbs");
      return Promise.resolve({ ...server, ...served.secrets, authorities: [] });
    },
  };
  const [login, port, store] = repository.split(":");
  const items = ["host/plain/latest/root.pxar", "team/host/sealed/latest/root.pxar"];
  for (const place of [repository, `//${login}:${port}/${store}`]) {
    for (const item of items) {
      using source = await openSource(`pbs:${place}#${item}`, { credentials });
      const tree = source.openTree();
      assert.deepEqual([...tree.root.entries()].map(({ name }) => name), ["file"]);
      survivePowerCuts(tree, 1);
      tree.close();
      // The name says everything, and opens the same again.
      assert.ok(source.summary.name.startsWith(`pbs:${repository}#`), source.summary.name);
      using again = await openSource(source.summary.name, { credentials });
      assert.deepEqual(again.summary, source.summary);
    }
  }
  const name = `pbs:${repository}#${items[1]}`;
  const target = `pbs://${login}:${port}/${store}#team/host/copied`;
  const copied = await copySource(name, target, { credentials });
  assert.ok(copied.kind === "snapshot" && copied.report.isPartial === false);
  {
    using source = await openSource(`${target}/latest/root.pxar`, { credentials });
    const tree = source.openTree();
    assert.deepEqual([...tree.root.entries()].map((entry) => entry.name), ["file"]);
    tree.close();
  }
  // A client is pulled into a server as into a directory, and the next time little is sent.
  using into = await BackupStore.open(repository, { credentials });
  const group = { id: "pulled", roots: { "root.pxar": home.join("tree") } };
  for (const [time, isKnown] of [[1_700_000_000, false], [1_700_000_001, true]] as const) {
    const client = new LocalClient(new HostAccessor());
    const { details, reusedShare } = await into.pull(client, { ...group, time, mode: "data" });
    assert.deepEqual(into.previous(group)?.id, details.id);
    assert.equal(reusedShare === 1, isKnown);
  }
  await assert.rejects(copySource(name, target), (error) => error instanceof AuthError);
  const mountPath = home.join("mnt");
  Deno.mkdirSync(mountPath);
  {
    await using _mounted = await mount(name, { mountPath, credentials });
    const { stdout } = await runCommand(["cat", `${mountPath}/file`], { timeoutMs: 60_000 });
    assert.equal(stdout, "content\n".repeat(9000));
  }
  await assert.rejects(openSource(name), (error) => error instanceof AuthError);
  await assert.rejects(
    openSource(`pbs:${repository}`, { credentials }),
    (error) => error instanceof UsageError && /team\/host\/sealed\/latest/.test(error.hint ?? ""),
  );
});
