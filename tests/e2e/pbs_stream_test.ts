import assert from "node:assert/strict";
import { runCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";
import { PbsStore } from "./_pbs_store.ts";

const TIMEOUT_MS = 60_000;

/**
 * Runs a shell script in which `"$@"` is `pbkfs pbs` with the store, and `$dir` a scratch
 * directory.
 */
function shell(store: PbsStore, script: string) {
  return runCommand(["bash", "-c", script, "bash", Deno.env.get("PBKFS_BIN")!, "pbs"], {
    timeoutMs: TIMEOUT_MS,
    check: false,
    env: { PBS_REPOSITORY: `dir:${store.path}`, dir: store.home.path, XDG_CONFIG_HOME: "/none" },
  });
}

Deno.test("pbs backup takes images from standard input and FIFOs", async () => {
  await using store = await PbsStore.create();
  const { code, stderr } = await shell(
    store,
    `cd "$dir"; set -e; head -c 9000000 /dev/urandom > content
    cat content | "$@" backup a.img:- --backup-id one
    cat content | "$@" backup a.img:/dev/stdin --backup-id two
    "$@" backup a.img:- --backup-id file < content
    mkfifo pipe; (sleep 0.5; cat content > pipe) & "$@" backup a.img:pipe --backup-id three
    "$@" backup a.img:content --backup-id plain
    for id in one two three file plain; do
      "$@" restore host/$id a.img - | cmp - content
      "$@" files host/$id --format json > $id.json
    done
    cmp <(sed 's/"size":[0-9]*/S/g' one.json) <(sed 's/"size":[0-9]*/S/g' plain.json)
    "$@" verify`,
  );
  assert.equal(code, 0, stderr);
});

Deno.test("pbs backup leaves no snapshot of a stream that is empty, cannot be read or is given up", async () => {
  await using store = await PbsStore.create();
  const empty = await shell(store, `: | "$@" backup a.img:- --backup-id a`);
  assert.equal(empty.code, 2);
  assert.match(empty.stderr, /gave no bytes/);
  const directory = await shell(store, `"$@" backup a.img:- --backup-id a < /`);
  assert.equal(directory.code, 1, directory.stderr);
  assert.match(directory.stderr, /EISDIR|directory/);
  for (const wrong of ["a.conf:-", "a.pxar:-", "a.img:- b.img:/dev/stdin"]) {
    const { code, stderr } = await shell(store, `echo x | "$@" backup ${wrong} --backup-id a`);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /standard input/);
  }
  const dry = await shell(store, `echo x | { "$@" backup a.img:- --backup-id a --dry-run; cat; }`);
  assert.match(dry.stdout, /x\n$/, "a plan reads nothing");
  assert.equal((await store.must(["list", "--format", "json"])).trim(), "[]");
});

for (const signal of ["SIGINT", "SIGKILL"] as const) {
  Deno.test(`pbs backup of a stream that is ended by ${signal} leaves no finished snapshot`, async () => {
    await using store = await PbsStore.create();
    const command = new RunningCommand(
      [Deno.env.get("PBKFS_BIN")!, "pbs", "backup", "a.img:-", "--backup-id", "a"],
      { interactive: true, env: { PBS_REPOSITORY: `dir:${store.path}`, XDG_CONFIG_HOME: "/none" } },
    );
    command.write("some bytes\n");
    const group = `${store.path}/host/a`;
    const isStarted = () => {
      try {
        return [...Deno.readDirSync(group)].some(({ isDirectory }) => isDirectory);
      } catch {
        return false;
      }
    };
    await waitUntil(isStarted, TIMEOUT_MS, () => command.stderr);
    command.signalGroup(signal);
    // Its input stays open: it ends by itself.
    const { code } = await command.wait(TIMEOUT_MS);
    assert.notEqual(code, 0);
    const list = JSON.parse(await store.must(["snapshots", "--format", "json"]));
    const isFinished = (files: { filename: string }[]) =>
      files.some(({ filename }) => filename === "index.json.blob");
    assert.ok(list.every(({ files }: { files: { filename: string }[] }) => !isFinished(files)));
  });
}
