/**
 * Mounted snapshots of a server.
 *
 * @module
 */

import assert from "node:assert/strict";
import { findMount } from "#src/mount/mod.ts";
import { Random } from "#tests/support/property_random.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { type CommandResult, runCommand } from "#tests/support/process.ts";
import { ServedStore } from "./_served_store.ts";

const TIMEOUT_MS = 120_000;

/** A snapshot of a server, and where it is mounted. */
class ServerMount implements AsyncDisposable {
  readonly served: ServedStore;
  readonly root: string;

  private constructor(served: ServedStore) {
    this.served = served;
    this.root = served.home.join("mnt");
    Deno.mkdirSync(this.root);
  }

  /** Backs `large`, 24 MiB, and `small` up. */
  static async create(): Promise<ServerMount> {
    const served = await ServedStore.start();
    const mount = new ServerMount(served);
    const tree = served.home.join("tree");
    Deno.mkdirSync(tree);
    Deno.writeFileSync(`${tree}/large`, new Random(1).bytes(24 << 20));
    Deno.writeTextFileSync(`${tree}/small`, "small\n");
    await served.must(["backup", `root.pxar:${tree}`, "--backup-id", "it"]);
    return mount;
  }

  mount(options: readonly string[]): Promise<string> {
    return this.served.must(["mount", "host/it", "root.pxar", this.root, ...options]);
  }

  /** Runs a shell command in a process of its own; `$1` is the mount point. */
  sh(script: string): Promise<CommandResult> {
    const command = ["sh", "-c", script, "sh", this.root];
    return runCommand(command, { timeoutMs: TIMEOUT_MS, check: false });
  }

  unmount(): Promise<CommandResult> {
    const command = pbkfsCommand(["unmount", "-D", this.root]);
    return runCommand(command, { timeoutMs: TIMEOUT_MS, check: false });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runCommand(["umount", "-l", this.root], { timeoutMs: 10_000, check: false });
    await this.served[Symbol.asyncDispose]();
  }
}

Deno.test("A mount whose server is gone fails reads in time, and ends at once when it is unmounted", async () => {
  await using place = await ServerMount.create();
  await place.mount(["--io-timeout", "1"]);
  await place.served.kill();
  // More than there are threads that serve.
  const reads = await Promise.all(
    [4, 8, 12, 16, 20].map((at) => place.sh(`dd if="$1/large" bs=1M skip=${at} count=1 2>&1`)),
  );
  for (const { code, stdout } of reads) {
    assert.notEqual(code, 0);
    assert.match(stdout, /Input\/output error/);
  }
  const { code, stderr } = await place.unmount();
  assert.equal(stderr, "");
  assert.equal(code, 0);
  assert.equal(findMount(place.root), undefined);
});

Deno.test("A mount of a server's snapshot that is started from the sources reaches the server", async () => {
  await using place = await ServerMount.create();
  const permissions = ["--allow-read", "--allow-ffi", "--allow-run", "--allow-net"];
  const mount = ["mount", "host/it", "root.pxar", place.root];
  const { code, stderr } = await place.served.runSources(permissions, mount);
  assert.equal(code, 0, stderr);
  assert.equal((await place.sh('cat "$1/small"')).stdout, "small\n");
  assert.equal((await place.unmount()).stderr, "");
});

Deno.test("A writable mount of a server's snapshot keeps what was written, for the next mount too", async () => {
  await using place = await ServerMount.create();
  const diff = ["--diff-dir", place.served.home.join("diff")];
  await place.mount(diff);
  const write = await place.sh(
    'cd "$1" && echo more >> small && mkdir new && echo new > new/file && ' +
      "printf changed | dd of=large bs=1 seek=9000000 conv=notrunc status=none && sha256sum < large",
  );
  assert.equal(write.code, 0, write.stderr);
  assert.equal((await place.unmount()).stderr, "");
  await place.mount(diff);
  const read = await place.sh('cd "$1" && cat small new/file && sha256sum < large');
  assert.equal(read.stdout, `small\nmore\nnew\n${write.stdout}`);
  assert.equal((await place.unmount()).stderr, "");
  // What is in the snapshot has not changed, and another one is not what the diff belongs to.
  await place.mount([]);
  assert.equal((await place.sh('cat "$1/small"; ls "$1"')).stdout, "small\nlarge\nsmall\n");
  assert.equal((await place.unmount()).stderr, "");
  const { home } = place.served;
  Deno.writeTextFileSync(home.join("tree/other"), "other\n");
  await place.served.must(["backup", `root.pxar:${home.join("tree")}`, "--backup-id", "it"]);
  const refused = await place.served.run(["mount", "host/it", "root.pxar", place.root, ...diff]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /source/);
});
