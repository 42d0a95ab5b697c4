/**
 * Branches of diff directories, without the kernel: who protects whom, what is listed, and what is
 * removed.
 */

import assert from "node:assert/strict";
import { LimitError, StateError } from "#src/errors.ts";
import { cleanupDiffDirectory } from "#src/overlay/cleanup.ts";
import { openDiffDirectory } from "#src/overlay/diff_directory.ts";
import { LEVELS_MAX } from "#src/sources/diff/diff_source.ts";
import { openSource } from "#src/sources/mod.ts";
import { forgetMissingBranches, removeBranches } from "#src/usecases/branches/branch_removal.ts";
import { describeBranches, type DiffRecord } from "#src/usecases/branches/branch_tree.ts";
import { runCommand } from "#tests/support/process.ts";
import { BranchPlace, bytesBelow } from "./_branches.ts";

/** Tries to mount a diff writable, as far as that goes without a source. */
function openForMount(path: string): void {
  openDiffDirectory(path, { sourcePlaces: [], mountPath: "/nowhere", force: true }).abandon();
}

function isState(code: string, message = /./) {
  return (error: unknown) => {
    assert.ok(error instanceof StateError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

/** The tree of branches by the names of directories. */
function drawn({ path, branches, state }: DiffRecord): unknown {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const inner = branches.map(drawn);
  return state === "clean" ? [name, ...inner] : [`${name}: ${state}`, ...inner];
}

async function withTree(test: (place: BranchPlace) => void | Promise<void>): Promise<void> {
  using place = new BranchPlace();
  await place.change("root", "x.pxar");
  await place.change("a", "root");
  await place.change("b", "root");
  await place.change("a1", "a");
  await test(place);
}

Deno.test("A diff with branches is neither mounted writable nor emptied, and says which it has", async () => {
  await withTree(async (place) => {
    const [root, a, b] = ["root", "a", "b"].map((name) => place.join(name));
    const both = new RegExp(`2 branches, "${a}", "${b}"`);
    assert.throws(() => openForMount(root!), isState("has-branches", both));
    assert.throws(
      () => cleanupDiffDirectory(root!, { force: true }),
      isState("has-branches", both),
    );
    assert.throws(() => removeBranches(a!), isState("has-branches", /a branch, ".*\/a1"/));
    assert.equal(await place.read("root"), "root\n");
    assert.equal(await place.read("a1"), "a1\n");
    cleanupDiffDirectory(b!, { force: false });
    assert.throws(() => openForMount(root!), isState("has-branches", /a branch, ".*\/a"$/));
    assert.deepEqual(removeBranches(a!, { isRecursive: true }).map(({ path }) => path), [
      place.join("a1"),
      a,
    ]);
    openForMount(root!);
    assert.deepEqual(drawn(describeBranches(root!)), ["root"]);
    assert.equal(await place.read("root"), "root\n");
    assert.deepEqual([...Deno.readDirSync(b!)], []);
  });
});

Deno.test("A branch that was removed by other means is noticed, and forgotten on demand only", async () => {
  await withTree(async (place) => {
    Deno.removeSync(place.join("b"), { recursive: true });
    assert.deepEqual(drawn(describeBranches(place.join("root"))), [
      "root",
      ["a", ["a1"]],
      ["b: missing"],
    ]);
    const lost = /2 branches, ".*\/a", ".*\/b" \(not there any more\)/;
    assert.throws(() => openForMount(place.join("root")), isState("has-branches", lost));
    const forgotten = forgetMissingBranches(place.join("root"));
    assert.deepEqual(forgotten.map(({ path }) => path), [place.join("b")]);
    removeBranches(place.join("a"), { isRecursive: true });
    openForMount(place.join("root"));
    await place.change("root", "x.pxar");
  });
});

Deno.test("A branch that was moved is known again once it is used, and read where its parent is", async () => {
  await withTree(async (place) => {
    Deno.renameSync(place.join("a"), place.join("moved"));
    assert.deepEqual(drawn(describeBranches(place.join("root"))), [
      "root",
      ["a: missing"],
      ["b"],
    ]);
    assert.equal(await place.read("moved"), "a\n");
    await assert.rejects(
      place.read("a1"),
      isState("not-found", /\/a", over which ".*\/a1" was made/),
    );
    // What has another diff at its place is another one.
    await place.change("a", "x.pxar");
    await assert.rejects(place.read("a1"), isState("source-changed"));
    await place.change("a1", "moved");
    assert.equal(await place.read("a1"), "a1\n");
    assert.deepEqual(drawn(describeBranches(place.join("root"))), ["root", ["a: missing"], ["b"]]);
    removeBranches(place.join("a1"));
    await place.change("moved", "root");
    assert.deepEqual(drawn(describeBranches(place.join("root"))), ["root", ["b"], ["moved"]]);
  });
});

Deno.test("A copy of a diff has no branches, though it has their list", async () => {
  await withTree(async (place) => {
    await runCommand(["cp", "-a", place.join("root"), place.join("copy")], { timeoutMs: 10_000 });
    const copied = ["copy", ["a: missing"], ["b: missing"]];
    assert.deepEqual(drawn(describeBranches(place.join("copy"))), copied);
    assert.equal(forgetMissingBranches(place.join("copy")).length, 2);
    openForMount(place.join("copy"));
    assert.throws(() => openForMount(place.join("root")), isState("has-branches"));
    // They go on with the copy where that is all there is.
    Deno.removeSync(place.join("root"), { recursive: true });
    await place.change("b", "copy");
    assert.equal(await place.read("b"), "b\n");
    assert.deepEqual(drawn(describeBranches(place.join("copy"))), ["copy", ["b"]]);
  });
});

Deno.test("A diff that was moved still knows its branches", async () => {
  await withTree(async (place) => {
    Deno.renameSync(place.join("root"), place.join("moved"));
    const lost = /\/root", over which ".*\/a" was/;
    await assert.rejects(place.read("a1"), (error: StateError) => {
      assert.equal(error.option, undefined, "to mount one with branches is refused");
      assert.match(error.hint!, /put a link to it there$/);
      return isState("not-found", lost)(error);
    });
    await assert.rejects(place.read("b"), { option: "branchOf" });
    const tree = ["moved", ["a", ["a1"]], ["b"]];
    assert.deepEqual(drawn(describeBranches(place.join("moved"))), tree);
    assert.throws(() => openForMount(place.join("moved")), isState("has-branches"));
    Deno.symlinkSync("moved", place.join("root"));
    assert.equal(await place.read("a1"), "a1\n");
  });
});

Deno.test("A branch whose parent has changed all the same is refused", async () => {
  await withTree(async (place) => {
    Deno.removeSync(place.join("root/.pbkfs-branches"), { recursive: true });
    await place.change("root", "x.pxar");
    await assert.rejects(place.read("a"), isState("source-changed", /diff:.*\/root" has changed/));
    await assert.rejects(place.read("a1"), isState("source-changed", /diff:.*\/root" has changed/));
  });
});

Deno.test("A diff that is being read is not mounted meanwhile, and one that is mounted not read", async () => {
  await withTree(async (place) => {
    {
      using _one = await openSource(place.join("b"));
      using _other = await openSource(place.join("b"));
      const read = new RegExp(`being read by process ${Deno.pid}\\b`);
      assert.throws(() => openForMount(place.join("b")), isState("locked", read));
      assert.throws(() => removeBranches(place.join("b")), isState("locked", read));
      assert.deepEqual(drawn(describeBranches(place.join("root"))), [
        "root: read",
        ["a", ["a1"]],
        ["b: read"],
      ]);
    }
    const options = { sourcePlaces: [], mountPath: "/nowhere", force: false };
    const mounted = openDiffDirectory(place.join("b"), options);
    try {
      const used = new RegExp(`in use by process ${Deno.pid}\\b`);
      await assert.rejects(place.read("b"), isState("locked", used));
      assert.throws(() => removeBranches(place.join("b")), isState("locked", used));
      const [, , [b]] = drawn(describeBranches(place.join("root"))) as [string, unknown, [string]];
      assert.equal(b, "b: mounted");
    } finally {
      mounted.abandon();
    }
    assert.equal(await place.read("b"), "b\n");
  });
});

/** Shows a directory at another place, where nothing can be written. */
async function showReadOnly(path: string, at: string): Promise<AsyncDisposable> {
  const run = (...command: string[]) => runCommand(command, { timeoutMs: 10_000 });
  Deno.mkdirSync(at);
  await run("mount", "--bind", path, at);
  await run("mount", "-o", "remount,bind,ro", at);
  return { [Symbol.asyncDispose]: async () => void await run("umount", "-l", at) };
}

Deno.test({
  name: "A branch of a diff on a read-only file system is made, used and removed",
  ignore: Deno.uid() !== 0,
  async fn() {
    await withTree(async (place) => {
      const [b, shown] = [place.join("b"), place.join("shown")];
      await using _shown = await showReadOnly(b, shown);
      await place.change("c", "shown");
      await place.change("d", "shown");
      assert.equal(await place.read("shown"), "b\n");
      assert.equal(await place.read("c"), "c\n");
      await place.change("c1", "c");
      assert.equal(await place.read("c1"), "c1\n");
      assert.deepEqual(drawn(describeBranches(shown)), ["shown"], "it cannot know them");
      {
        // The same directory at the place where it can be written.
        using _read = await openSource(place.join("c1"));
        const unseen = /process that cannot be seen from here \(".*\/b"\)/;
        assert.throws(() => openForMount(b), isState("locked", unseen));
        assert.deepEqual(drawn(describeBranches(shown)), ["shown: read"]);
      }
      const options = { sourcePlaces: [], mountPath: "/nowhere", force: false };
      const mounted = openDiffDirectory(b, options);
      await assert.rejects(place.read("c"), isState("locked", /in use by process/));
      mounted.abandon();
      assert.equal(await place.read("c"), "c\n");
      removeBranches(place.join("c"), { isRecursive: true });
      assert.throws(() => Deno.statSync(place.join("c")), Deno.errors.NotFound);
      // Nothing but the mark protects what was written then.
      await place.change("b", "root");
      await assert.rejects(
        place.read("d"),
        isState("source-changed", /diff:.*\/shown" has changed/),
      );
      assert.equal(await place.read("shown"), "b\n");
      // Only its parent cannot forget it.
      assert.throws(() => removeBranches(shown), { name: "OsError" });
    });
  },
});

Deno.test({
  name: "A branch that its parent knows is removed when that has become read-only",
  ignore: Deno.uid() !== 0,
  async fn() {
    await withTree(async (place) => {
      {
        await using _shown = await showReadOnly(place.join("root"), place.join("shown"));
        Deno.renameSync(place.join("root"), place.join("moved"));
        Deno.symlinkSync("shown", place.join("root"));
        // Where it was before is all that the parent can know.
        Deno.renameSync(place.join("b"), place.join("b2"));
        await place.change("b2", "shown");
        assert.deepEqual(removeBranches(place.join("b2")).length, 1);
        assert.throws(() => Deno.statSync(place.join("b2")), Deno.errors.NotFound);
        assert.throws(() => forgetMissingBranches(place.join("shown")), { name: "OsError" });
      }
      const left = drawn(describeBranches(place.join("moved")));
      assert.deepEqual(left, ["moved", ["a", ["a1"]], ["b: missing"]]);
      assert.equal(forgetMissingBranches(place.join("moved")).length, 1);
    });
  },
});

/** Changes the record of a diff. */
function editRecord(path: string, change: Record<string, unknown>): void {
  const file = `${path}/.pbkfs-binding.json`;
  const record = JSON.parse(Deno.readTextFileSync(file));
  Deno.writeTextFileSync(file, JSON.stringify({ ...record, ...change }));
}

Deno.test("A diff that was left by a kill, or lost WAL, is neither read nor the parent of a branch", async () => {
  await withTree(async (place) => {
    const b = place.join("b");
    const unclean = /did not end cleanly/;
    editRecord(b, { state: "Active" });
    await assert.rejects(place.read("b"), isState("dirty", unclean));
    await assert.rejects(place.change("c", "b"), isState("dirty", unclean));
    assert.equal(describeBranches(b).state, "unclean");
    editRecord(b, { state: "Released" });
    Deno.writeTextFileSync(`${b}/.pbkfs-dirty`, "");
    await assert.rejects(place.read("b"), isState("dirty", unclean));
    Deno.removeSync(`${b}/.pbkfs-dirty`);
    editRecord(b, { no_wal_used: true });
    await assert.rejects(place.read("b"), isState("no-wal-used"));
    assert.equal(describeBranches(b).state, "no-wal-used");
    editRecord(b, { no_wal_used: false });
    assert.equal(await place.read("b"), "b\n");
    editRecord(b, { source: 7 });
    assert.deepEqual(drawn(describeBranches(place.join("root"))), [
      "root",
      ["a", ["a1"]],
      ["b: damaged"],
    ]);
    assert.throws(() => openForMount(place.join("root")), isState("has-branches", /\/b"$/));
  });
});

Deno.test("removeBranches() removes branches only", async () => {
  await withTree((place) => {
    assert.throws(() => removeBranches(place.join("tree")), isState("foreign-diff"));
    assert.throws(() => removeBranches(place.join("nothing")), isState("not-found"));
    const root = place.join("root");
    const isRecursive = true;
    assert.throws(() => removeBranches(root, { isRecursive }), isState("bound-elsewhere"));
    assert.deepEqual(drawn(describeBranches(root)), ["root", ["a", ["a1"]], ["b"]]);
  });
});

Deno.test("removeBranches() goes on where it was killed", async () => {
  await withTree(async (place) => {
    // What is there at each moment: the record goes last.
    Deno.removeSync(place.join("root/.pbkfs-branches"), { recursive: true });
    Deno.removeSync(place.join("b/data"), { recursive: true });
    removeBranches(place.join("b"));
    assert.throws(() => Deno.statSync(place.join("b")), Deno.errors.NotFound);
    await place.change("b", "root");
    assert.deepEqual(drawn(describeBranches(place.join("root"))), ["root", ["b"]]);
  });
});

Deno.test("A branch takes kilobytes, whatever it is over", async () => {
  await withTree(async (place) => {
    await place.change("c", "root", (harness) => harness.write("pages", 8192, new Uint8Array(1)));
    assert.ok(bytesBelow(place.join("c")) < 100_000, `${bytesBelow(place.join("c"))} bytes`);
  });
});

Deno.test(`Up to ${LEVELS_MAX} diffs are over one another`, async () => {
  using place = new BranchPlace();
  let below = "x.pxar";
  for (let level = 1; level <= LEVELS_MAX; level++) {
    await place.change(`d${level}`, below);
    below = `d${level}`;
  }
  assert.equal(await place.read(below), `${below}\n`);
  // What nobody has changed since is still that of the archive.
  using source = await openSource(place.join(below));
  const tree = source.openTree();
  const pages = tree.root.lookup("pages");
  assert.equal(pages?.kind === "file" && pages.payload?.size, 20 * 8192);
  tree.close();
  await place.change("deeper", below);
  await assert.rejects(place.read("deeper"), LimitError);
  let record = describeBranches(place.join("d1"));
  let depth = 1;
  while (record.branches.length > 0) {
    record = record.branches[0]!;
    depth++;
  }
  assert.equal(depth, LEVELS_MAX + 1);
});
