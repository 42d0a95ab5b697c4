/**
 * Backups of a client by the program: what ssh starts is started here, without another host.
 *
 * @module
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { Datastore } from "#src/pbs/datastore.ts";
import { qualifiedName, ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { waitUntil } from "#tests/support/process.ts";
import { PbsStore } from "./_pbs_store.ts";

const TIMEOUT_MS = 60_000;

/**
 * In place of ssh: runs the command. Where that is asked, the client is killed in the middle, once,
 * or falls silent there.
 */
const SSH = `#!/bin/sh
while [ "\${1#-}" != "$1" ]; do case $1 in -p|-l) shift 2;; *) shift;; esac; done
shift
agent() { sh -c 'echo $$ >"$1"; exec $2' - "$0.pid" "$1" 2>&-; }
if [ -e "$0.cut" ]; then
  rm "$0.cut"
  agent "$*" | { dd bs=1 count=2000 2>&-; kill -9 "$(cat "$0.pid")" $$; }
elif [ -e "$0.hold" ]; then
  rm "$0.hold"
  agent "$*" | { dd bs=1 count=2000 2>&-; echo >"$0.held"; exec sleep 60; }
fi
exec sh -c "$*"
`;

/** A datastore, a tree, and what takes the place of ssh. */
async function makeScene() {
  const store = await PbsStore.create();
  const { home } = store;
  Deno.mkdirSync(home.join("tree/below"), { recursive: true });
  for (let index = 0; index < 60; index++) {
    Deno.writeTextFileSync(home.join(`tree/below/f${index}`), `${index}\n`.repeat(500));
  }
  Deno.writeTextFileSync(home.join("tree/left.tmp"), "x");
  Deno.symlinkSync("below", home.join("tree/link"));
  const ssh = home.join("ssh");
  Deno.writeTextFileSync(ssh, SSH, { mode: 0o755 });
  const program = pbkfsCommand([]).join(" ");
  const way = ["--ssh-command", ssh, "--remote-program", program];
  return { store, ssh, way, place: (path: string) => `ssh://backup@db1:2222${home.join(path)}` };
}

Deno.test("pbs pull makes the archives that a backup on the client would make", async () => {
  const { store, ssh, way, place } = await makeScene();
  await using _ = store;
  const { home } = store;
  const options = ["--exclude", "*.tmp", "--format", "json"];
  const [tree, below] = ["tree", "tree/below"].map(place);
  const plan = JSON.parse(
    await store.must(["pull", tree!, ...way, ...options, "--dry-run"]),
  );
  assert.equal(plan["backup-id"], "db1");
  assert.equal(plan.archives[0].entries, 64);
  const pulled = JSON.parse(
    await store.must(["pull", `root.pxar:${tree}`, below!, ...way, ...options]),
  );
  const local = await store.backup([
    `root.pxar:${home.join("tree")}`,
    `below.pxar:${home.join("tree/below")}`,
    "--exclude",
    "*.tmp",
  ]);
  assert.equal(pulled.new_chunks > 0, true);
  assert.equal(local.new_chunks, 0, "all chunks of the same trees are there");
  assert.deepEqual(
    pulled.archives.map(({ name, entries }: Record<string, unknown>) => [name, entries]),
    [["root.pxar", 64], ["below.pxar", 62]],
  );

  // Killed in the middle, nothing is left that the next one would stumble over.
  Deno.writeTextFileSync(`${ssh}.hold`, "");
  const killed = store.start(["pull", tree!, ...way, ...options]);
  await waitUntil(() => existsSync(`${ssh}.held`), TIMEOUT_MS, () => killed.stderr);
  killed.signalGroup("SIGKILL");
  assert.equal((await killed.wait(TIMEOUT_MS)).code, 137);
  const left = Datastore.open(store.path);
  const group = { ns: ROOT_NAMESPACE, type: "host", id: "db1" } as const;
  assert.equal(qualifiedName(left.groupInfo(group).last!), pulled.snapshot);
  left.close();

  const metadata = ["--change-detection-mode", "metadata", "--format", "json", "--retry", "1"];
  await store.must(["pull", tree!, ...way, ...metadata, "--compress"]);
  Deno.writeTextFileSync(home.join("tree/below/new"), "new");
  Deno.writeTextFileSync(`${ssh}.cut`, "");
  const { code, stdout, stderr } = await store.run(["pull", tree!, ...way, ...metadata]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /another attempt in 1 s/u);
  const [{ reuse }] = JSON.parse(stdout).archives;
  // The one behind the new one is not worth a chunk of its own.
  assert.deepEqual([reuse.reused_files, reuse.read_files], [60, 2]);
  await store.check();
});

Deno.test("pbs pull says what is wrong with a name, a client, a directory", async () => {
  const { store, way, place } = await makeScene();
  await using _ = store;
  const refused: [args: string[], message: RegExp][] = [
    [["/etc"], /not a directory of a client/u],
    [["ssh://a/x", "ssh://b/y"], /another client/u],
    [["ssh://a/x", "ssh://a/y/x"], /target twice/u],
    [[place("none"), ...way], /none/u],
    [["agent://127.0.0.1:1/x"], /127\.0\.0\.1/u],
    [[place("tree"), ...way, "--before", "true"], /runs no commands/u],
    [[place("tree"), "--ssh-command", "false"], /db1/u],
  ];
  for (const [args, message] of refused) {
    const { code, stderr } = await store.run(["pull", ...args]);
    assert.notEqual(code, 0, args.join(" "));
    assert.match(stderr, message);
  }
  assert.equal(await store.must(["list"]), "");
});
