/** Commands of the executable against `pbs serve` in a process of its own, over TLS. */

import assert from "node:assert/strict";
import { open, OpenFlag } from "#ffi/libc/calls.ts";
import { describeExpected, describeHost } from "#tests/support/expected_tree.ts";
import {
  expectedDatastore,
  type ExpectedSnapshot,
  goldenDatastore,
  HAS_ALL_CHUNKS,
  hasChunks,
  KEY_PASSPHRASE,
  PBS_KEYS,
  readIndex,
  snapshotPath,
} from "#tests/support/pbs_fixtures.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { runCommand } from "#tests/support/process.ts";
import { Random } from "#tests/support/property_random.ts";
import { fileDigest } from "#tests/support/tree_manifest.ts";
import { mustPbs, OTHER_USER, ServedStore } from "./_served_store.ts";

const IS_ROOT = Deno.uid() === 0;
const HAS_FUSE = open("/dev/fuse", OpenFlag.RDWR) >= 0;
const KEY_ENV = { PBS_ENCRYPTION_PASSWORD: KEY_PASSPHRASE };

Deno.test({
  name: "The golden datastore, served and restored over TLS, is what it has to be",
  ignore: !IS_ROOT,
  async fn() {
    await using served = await ServedStore.start((path) =>
      runCommand(["cp", "-a", goldenDatastore(), path], { timeoutMs: 60_000 })
    );
    const { snapshots, trees } = expectedDatastore();
    const encrypted = new Set<boolean>();
    for (const [position, each] of snapshots.entries()) {
      const options = [
        ...each.ns === "" ? [] : ["--ns", each.ns],
        ...each.key === null ? [] : ["--keyfile", `${PBS_KEYS}/${each.key.replace("keys/", "")}`],
      ];
      const restore = async (archive: string) => {
        const target = served.home.join(`${position}-${archive}`);
        const command = ["restore", each.snapshot, archive, target, ...options];
        await served.must(command, { env: KEY_ENV });
        encrypted.add(each["crypt-mode"] === "encrypt");
        return target;
      };
      for (const [indexes, { tree, without, plus }] of Object.entries(each.pxar)) {
        if (!isWhole(each, indexes)) continue;
        const target = await restore(indexes.replace(/\..*/, ".pxar"));
        const expected = describeExpected(trees[tree]!, without, plus);
        assert.deepEqual(describeHost(target), expected, `${each.snapshot} ${indexes}`);
      }
      for (const [index, { size, sha256 }] of Object.entries(each.images)) {
        if (!isWhole(each, index)) continue;
        const target = await restore(index.replace(".fidx", ""));
        assert.equal(Deno.statSync(target).size, size);
        assert.equal(fileDigest(target), sha256, `${each.snapshot} ${index}`);
      }
    }
    // The committed datastore has all chunks of a plain one only.
    assert.equal(encrypted.size, HAS_ALL_CHUNKS ? 2 : 1, "plain and encrypted ones were restored");
  },
});

function isWhole(snapshot: ExpectedSnapshot, indexes: string): boolean {
  return indexes.split("+").every((name) =>
    hasChunks(readIndex(`${snapshotPath(snapshot)}/${name}`))
  );
}

Deno.test("Backups to a server over TLS are listed, read, compared, restored and removed", async () => {
  await using served = await ServedStore.start();
  const { home } = served;
  const tree = home.join("tree");
  Deno.mkdirSync(`${tree}/sub`, { recursive: true });
  Deno.writeFileSync(`${tree}/large`, new Random(1).bytes(9 << 20));
  Deno.writeTextFileSync(`${tree}/sub/small`, "small\n");
  Deno.symlinkSync("sub", `${tree}/link`);
  const key = home.join("key");
  await mustPbs(["key", "create", key, "--kdf", "none"]);
  const expected = describeHost(tree);
  const first = String(Math.floor(Date.now() / 1000) - 1000);
  for (const mode of ["legacy", "data", "metadata"]) {
    for (const keyed of [[], ["--keyfile", key]]) {
      const id = `${mode}${keyed.length}`;
      const backup = ["backup", `root.pxar:${tree}`, "--backup-id", id];
      const options = ["--change-detection-mode", mode, ...keyed, "--format", "json"];
      await served.must([...backup, ...options, "--backup-time", first]);
      const again = await served.must([...backup, ...options]);
      assert.match(again, /"new(Bytes|-bytes)":\d{1,5}\b|"reused/, again);
      const target = home.join(`restored-${id}`);
      await served.must(["restore", `host/${id}`, "root.pxar", target, ...keyed]);
      assert.deepEqual(describeHost(target), expected, id);
    }
  }
  assert.match(await served.must(["list"]), /host\/data0[^]*host\/metadata2/);
  // Pulled of a client, which ssh would reach: chunks of the backup before are only referred to.
  const ssh = home.join("ssh");
  Deno.writeTextFileSync(ssh, '#!/bin/sh\nshift 3\nexec sh -c "$*"\n', { mode: 0o755 });
  const way = ["--ssh-command", ssh, "--remote-program", pbkfsCommand([]).join(" ")];
  const pull = ["pull", `root.pxar:ssh://client${tree}`, ...way, "--backup-id", "metadata2"];
  const metadata = ["--change-detection-mode", "metadata", "--format", "json"];
  const pulled = JSON.parse(await served.must([...pull, ...metadata, "--keyfile", key]));
  assert.equal(pulled.archives[0].reuse.reused_files, 2);
  const pulledBack = home.join("restored-pull");
  const restore = ["restore", "host/metadata2", "root.pxar", pulledBack, "--keyfile", key];
  await served.must(restore);
  assert.deepEqual(describeHost(pulledBack), expected);
  // An image that comes through a pipe, of two chunks; and one of nothing.
  const dump = "a line of a dump\n".repeat(300_000);
  const piped = ["backup", "dump.img:-", "--backup-id", "piped"];
  await served.must(piped, { stdin: dump });
  assert.ok(await served.must(["restore", "host/piped", "dump.img", "-"]) === dump);
  const empty = await served.run(["backup", "dump.img:-", "--backup-id", "empty"], { stdin: "" });
  assert.match(empty.stderr, /gave no bytes/);
  assert.equal((await served.run(["files", "host/empty"])).code, 1);
  const archive = ["host/data0", "root.pxar"];
  assert.equal(await served.must(["cat", ...archive, "sub/small"]), "small\n");
  assert.equal(await served.must(["find", ...archive, "--name", "small"]), "/sub/small\n");
  assert.match(await served.must(["ls", ...archive]), /large/);
  assert.equal(await served.must(["diff", "host/data0", "host/legacy0", "root.pxar"]), "");
  const shell = await served.must(
    ["catalog", "shell", "host/data2", "root.pxar", "--keyfile", key],
    {
      stdin: "cd sub\nls\n",
    },
  );
  assert.match(shell, /^small$/m);

  await served.must(["namespace", "create", "team"]);
  assert.match(await served.must(["namespace", "list"]), /team/);
  await served.must(["verify"]);
  await served.must(["prune", "host/data0", "--keep-last", "1"]);
  const [left, ...more] = JSON.parse(
    await served.must(["snapshots", "host/data0", "--format", "json"]),
  );
  assert.equal(more.length, 0);

  const snapshot = `host/data0/${stampOf(left["backup-time"])}`;
  await served.must(["protect", snapshot]);
  const refused = await served.run(["forget", snapshot]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /protected/);
  await served.must(["snapshot", "protected", "update", snapshot, "false"]);
  await served.must(["notes", snapshot, "a note"]);
  assert.equal(await served.must(["notes", snapshot]), "a note\n");
  await served.must(["forget", snapshot]);
  assert.doesNotMatch(await served.must(["list"]), /host\/data0/);

  await served.must(["change-owner", "host/data2", OTHER_USER]);
  const groups = JSON.parse(await served.must(["list", "--format", "json"]));
  const owned = groups.find((group: Record<string, unknown>) => group["backup-id"] === "data2");
  assert.equal(owned.owner, OTHER_USER);
  const log = home.join("log");
  Deno.writeTextFileSync(log, "said\n");
  const logged = `host/legacy2/${stampOf(first)}`;
  const upload = ["snapshot", "upload-log", logged, log, "--keyfile", key];
  const twice = await served.run(upload);
  // A backup sends a log of its own.
  assert.equal(twice.code, 1);
  assert.match(twice.stderr, /contains a log/);
  const stored = `${served.path}/${logged}/client.log.blob`;
  Deno.removeSync(stored);
  await served.must(upload);
  assert.doesNotMatch(new TextDecoder().decode(Deno.readFileSync(stored)), /said/);
  const target = home.join("log-restored");
  await served.must(["restore", logged, "client.log", target, "--keyfile", key]);
  assert.equal(Deno.readTextFileSync(target), "said\n");
  assert.equal(
    (await served.run(["restore", "host/none", "root.pxar", home.join("none")])).code,
    1,
  );
});

/** As snapshots are named. */
function stampOf(seconds: string | number): string {
  return new Date(Number(seconds) * 1000).toISOString().replace(".000", "");
}

Deno.test({
  name: "An image of a server, plain and encrypted, is mapped and restored as what it was",
  ignore: !IS_ROOT || !HAS_FUSE,
  async fn() {
    await using served = await ServedStore.start();
    const { home } = served;
    const image = home.join("image");
    Deno.writeFileSync(image, new Random(2).bytes(8 << 20));
    const key = home.join("key");
    await mustPbs(["key", "create", key, "--kdf", "none"]);
    for (const keyed of [[], ["--keyfile", key]]) {
      const id = `disk${keyed.length}`;
      await served.must(["backup", `disk.img:${image}`, "--backup-id", id, ...keyed]);
      const restored = home.join(id);
      await served.must(["restore", `host/${id}`, "disk.img", restored, ...keyed]);
      assert.equal(fileDigest(restored), fileDigest(image));
      const target = home.join(`mapped-${id}`);
      Deno.mkdirSync(target);
      await served.must(["map", `host/${id}`, "disk.img", target, ...keyed]);
      try {
        // By another process: this one reads what the mapping says.
        await runCommand(["cmp", image, `${target}/disk.img`], { timeoutMs: 60_000 });
      } finally {
        await mustPbs(["unmap", target]);
      }
    }
  },
});
