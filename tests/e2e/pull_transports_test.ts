/** Pulls over a real sshd and over TLS: what they store is what a backup on the client stores. */

import assert from "node:assert/strict";
import { createIdentity } from "#src/usecases/agent/identity.ts";
import { bash, makeEverythingTree } from "#tests/support/everything_tree.ts";
import { pbkfsCommand, runPbkfs } from "#tests/support/pbkfs.ts";
import { asServerUser, SERVER_USER } from "#tests/support/postgres.ts";
import { runCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";
import { PbsStore } from "./_pbs_store.ts";
import { Sshd, whyNoSshd } from "./_sshd.ts";

const TIMEOUT_MS = 60_000;
const FIRST_TIME = 1_700_000_000;

Deno.test({
  name:
    "pbs pull over ssh and TLS stores what a backup there stores, in all modes and crypt modes, and runs commands",
  ignore: whyNoSshd() !== undefined,
  fn: async () => {
    await using store = await PbsStore.create();
    const { home } = store;
    await using sshd = await Sshd.start(home);
    const tree = home.join("tree");
    Deno.mkdirSync(tree);
    await makeEverythingTree(tree, 20, 1 << 20);
    const key = home.join("key.json");
    await runPbkfs(["pbs", "key", "create", key, "--kdf", "none"]);
    const peer = await createIdentity(home.join("own.pem"), "backups");
    const fingerprint = await createIdentity(home.join("agent.pem"), "client");
    const service = new RunningCommand(pbkfsCommand([
      ...["agent", "--listen", "127.0.0.1:0", "--root", tree, "--peer", peer, "--allow-hooks"],
      ...["--identity", home.join("agent.pem")],
    ]));
    await using _ = {
      async [Symbol.asyncDispose]() {
        service.signalGroup("SIGTERM");
        await service.wait(TIMEOUT_MS);
      },
    };
    await waitUntil(
      () => service.stderr.includes("fingerprint:"),
      TIMEOUT_MS,
      () => service.stderr,
    );
    const port = /listening on 127\.0\.0\.1:(\d+)\n/u.exec(service.stderr)![1];
    const bySsh = [
      ...[`root.pxar:ssh://root@127.0.0.1:${sshd.port}${tree}`, "--ssh-command", sshd.sshCommand],
      ...["--remote-program", pbkfsCommand([])[0]!],
    ];
    const byTls = [
      ...[`root.pxar:agent://127.0.0.1:${port}${tree}`, "--identity", home.join("own.pem")],
      ...["--client-fingerprint", fingerprint],
    ];
    let time = FIRST_TIME;
    // Groups of their own: neither refers to what the other has stored.
    const options = (mode: string, crypt: string) => (who: string) => [
      ...["--change-detection-mode", mode, "--format", "json"],
      ...(crypt === "none" ? [] : ["--keyfile", key, "--crypt-mode", crypt]),
      ...["--backup-id", `${who}-${mode}-${crypt}`, "--backup-time", String(time++)],
    ];
    let way = bySsh;
    for (const mode of ["legacy", "data", "metadata"]) {
      for (const crypt of ["none", "encrypt", "sign-only"]) {
        const of = options(mode, crypt);
        const pulled = JSON.parse(await store.must(["pull", ...way, ...of("pulled")]));
        const local = await store.backup([`root.pxar:${tree}`, ...of("local")]);
        assert.equal(local.new_chunks, 0, `${mode}, ${crypt}: all chunks are there`);
        const [{ entries }] = pulled.archives;
        assert.equal((local.archives as { entries: number }[])[0]!.entries, entries);
        way = way === bySsh ? byTls : bySsh;
      }
    }

    // As an ordinary user, who may not read all of it: what is left out is the same, too.
    await bash('chmod 644 "$1"; chown -R "$2" "$3"', key, SERVER_USER, store.path);
    const env = { PBS_REPOSITORY: `dir:${store.path}`, XDG_CONFIG_HOME: "/no-such-place" };
    const byUser = [...bySsh.slice(0, -1), asServerUser(pbkfsCommand([])).join(" ")];
    const pairs = [["legacy", "sign-only"], ["data", "encrypt"], ["metadata", "none"]] as const;
    await Promise.all(pairs.map(async ([mode, crypt]) => {
      const of = options(mode, crypt);
      const own = await runCommand(
        asServerUser(pbkfsCommand(["pbs", "backup", `root.pxar:${tree}`, ...of("user")])),
        { timeoutMs: TIMEOUT_MS, check: false, env },
      );
      const pulled = await store.run(["pull", ...byUser, ...of("pulled-user")]);
      assert.deepEqual([own.code, pulled.code], [1, 1], own.stderr + pulled.stderr);
      assert.match(pulled.stderr, /sp ace.*Permission denied/u);
      assert.equal(pulled.stderr, own.stderr);
      assert.equal(JSON.parse(pulled.stdout).new_chunks, 0);
    }));
    await store.check("--key", key);

    // Commands of a pull: in their order, and only where the client was started for them.
    const hooks = ["--before", `echo before >>${home.path}/hooks`];
    const after = ["--after", `echo after >>${home.path}/hooks; exit 5`];
    const { code, stderr } = await store.run([
      ...["pull", ...byTls, ...hooks, ...after],
      ...["--backup-id", "hooks"],
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /has ended with 5 on the client/u);
    assert.equal(Deno.readTextFileSync(home.join("hooks")), "before\nafter\n");
    const refused = await store.run(["pull", ...bySsh, ...hooks, "--backup-id", "hooks"]);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /runs no commands/u);
  },
});
