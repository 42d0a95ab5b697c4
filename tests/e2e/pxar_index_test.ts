/**
 * Archives in chunks, named by the files of their indexes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { bash } from "#tests/support/everything_tree.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { PBS_KEYS } from "#tests/support/pbs_fixtures.ts";
import { type CommandResult, runCommand } from "#tests/support/process.ts";
import { PbsStore } from "./_pbs_store.ts";

const TIMEOUT_MS = 60_000;
const IS_ROOT = Deno.uid() === 0;
/** Enough for several chunks, and for threads that read ahead. */
const LARGE_SIZE = 40 << 20;

function pxar(...args: string[]): Promise<CommandResult> {
  return runCommand(pbkfsCommand(["pxar", ...args]), { timeoutMs: TIMEOUT_MS, check: false });
}

async function mustPxar(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await pxar(...args);
  assert.equal(stderr, "", args.join(" "));
  assert.equal(code, 0, args.join(" "));
  return stdout;
}

/** A tree in a store: a v1 archive, and a split one in a namespace. */
async function makeStore(store: PbsStore) {
  const tree = store.home.join("tree");
  await bash(
    'mkdir -p "$1/sub"; head -c "$2" /dev/urandom >"$1/large"; echo x >"$1/sub/x"; ln "$1/sub/x" "$1/y"',
    tree,
    String(LARGE_SIZE),
  );
  await store.must(["namespace", "create", "a"]);
  await store.must(["namespace", "create", "a/b"]);
  await store.backup([`root.pxar:${tree}`, "--backup-id", "x"]);
  const split = ["--change-detection-mode", "data", "--ns", "a/b", "--backup-id", "x"];
  await store.backup([`root.pxar:${tree}`, ...split]);
  const found = (await bash('find "$1" -name "root.*.didx"', store.path)).trim().split("\n");
  const indexOf = (extension: string) => found.find((path) => path.endsWith(extension))!;
  return { tree, plain: indexOf(".pxar.didx"), metadata: indexOf(".mpxar.didx"), indexOf };
}

Deno.test("pbkfs pxar reads archives by the files of their indexes in a datastore", async () => {
  await using store = await PbsStore.create();
  const { tree, plain, metadata, indexOf } = await makeStore(store);
  for (const index of [plain, metadata, indexOf(".ppxar.didx")]) {
    assert.equal(await mustPxar("ls", "-R", index), "/\n/large\n/sub\n/sub/x\n/y\n");
    assert.equal(await mustPxar("cat", index, "/y"), "x\n");
    assert.equal(await mustPxar("find", index, "--name", "l*"), "/large\n");
    assert.equal(JSON.parse(await mustPxar("stat", index, "/large", "--format", "json")).length, 1);
    await mustPxar("verify", index);
    await mustPxar("diff", index, tree);
    const target = store.home.join(index.replaceAll("/", "_"));
    await mustPxar("extract", index, target);
    await bash('diff -r "$1" "$2"', tree, target);
  }
  const [copy, merged] = [store.home.join("copy.pxar"), store.home.join("merged.mpxar")];
  await mustPxar("cp", metadata, "/sub", "-o", copy);
  assert.equal(await mustPxar("ls", "-R", copy), "/\n/sub\n/sub/x\n");
  await mustPxar("merge", plain, metadata, "--conflict", "first", "-o", merged);
  await mustPxar("diff", merged, plain);
});

Deno.test({
  name: "pbkfs pxar mounts an archive by the file of its index",
  ignore: !IS_ROOT,
  fn: async () => {
    await using store = await PbsStore.create();
    const { tree, plain, metadata } = await makeStore(store);
    const mountPoint = store.home.join("mnt");
    Deno.mkdirSync(mountPoint);
    for (const index of [plain, metadata]) {
      await mustPxar("mount", index, mountPoint);
      try {
        await bash('diff -r "$1" "$2"', tree, mountPoint);
      } finally {
        await runCommand(["umount", mountPoint], { timeoutMs: TIMEOUT_MS });
      }
    }
  },
});

Deno.test("pbkfs pxar reads indexes beside their chunks, and says what it cannot read", async () => {
  await using store = await PbsStore.create();
  const { tree, plain, metadata, indexOf } = await makeStore(store);
  const loose = store.home.join("loose");
  await bash(
    'mkdir -p "$1"; cp "$3" "$4" "$5" "$1"; ln -s "$2/.chunks" "$1"',
    loose,
    store.path,
    plain,
    metadata,
    indexOf(".ppxar.didx"),
  );
  for (const name of ["root.pxar.didx", "root.mpxar.didx"]) {
    assert.equal(await mustPxar("cat", `${loose}/${name}`, "/sub/x"), "x\n");
  }
  const unmountable = await pxar("mount", `${loose}/root.pxar.didx`, loose);
  assert.equal(unmountable.code, 2);
  const alone = store.home.join("alone.pxar.didx");
  Deno.copyFileSync(plain, alone);
  const lost = await pxar("ls", alone);
  assert.equal(lost.code, 1);
  assert.match(lost.stderr, /Cannot find the chunks/);
  const bytes = Deno.readFileSync(plain);
  bytes[4200]! ^= 1;
  Deno.writeFileSync(`${loose}/root.pxar.didx`, bytes);
  assert.match((await pxar("ls", `${loose}/root.pxar.didx`)).stderr, /checksum/);
  await store.backup([
    `root.pxar:${tree}`,
    "--backup-id",
    "secret",
    "--keyfile",
    `${PBS_KEYS}/key-none.json`,
  ]);
  const secret = (await bash('ls "$1"/host/secret/*/root.pxar.didx', store.path)).trim();
  const locked = await pxar("ls", secret, "--format", "json");
  assert.equal(locked.code, 1);
  assert.equal(JSON.parse(locked.stderr).code, "missing-key");
});
