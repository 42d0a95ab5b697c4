/** Directories of the lower tree of which not everything can be read. */

import assert from "node:assert/strict";
import { Errno, OsError } from "#ffi/os_error.ts";
import { type Failure, FormatError } from "#src/errors.ts";
import { memoryDirectory, memoryFile, MemoryTree } from "#src/tree/memory_tree.ts";
import { OpenSlot } from "#src/tree/file_system.ts";
import type { DirectoryNode, MountableTree, Node } from "#src/tree/node.ts";
import { OverlayHarness } from "./harness.ts";

const LOST = "entry-of-garbage";
const UNREADABLE = "bad-node";
const DAMAGE = { name: "FormatError", message: "Cannot read an entry at offset 77" };

function fail(): never {
  throw new FormatError(DAMAGE.message);
}

function rethrow(damage: Error): never {
  throw damage;
}

/** Why there may be more than a listing has. */
type MakeDamage = () => Failure;

const malformed: MakeDamage = () => new FormatError(DAMAGE.message);

/** A tree with a directory `d` that has, beside what can be read, {@link LOST}. */
function damagedTree(names: readonly string[], makeDamage: MakeDamage): MountableTree {
  const entries = Object.fromEntries(names.map((name) => [name, memoryFile(name)]));
  const tree = new MemoryTree(memoryDirectory({
    d: memoryDirectory(entries),
    whole: memoryDirectory({}),
  }));
  const whole = tree.root.lookup("d") as DirectoryNode;
  const damaged: DirectoryNode = Object.assign(Object.create(whole), {
    lookup: (name: string) => name === LOST || name === UNREADABLE ? fail() : whole.lookup(name),
    *entries(onDamage: (damage: Error) => void = rethrow) {
      for (const entry of whole.entries()) {
        yield entry.name !== UNREADABLE ? entry : {
          name: UNREADABLE,
          get node(): Node {
            return fail();
          },
        };
      }
      onDamage(makeDamage());
    },
  });
  const of = (node: Node | undefined) => node?.id === whole.id ? damaged : node;
  const root: DirectoryNode = Object.assign(Object.create(tree.root), {
    lookup: (name: string) => of(tree.root.lookup(name)),
  });
  return {
    root,
    knownFields: tree.knownFields,
    nodeById: (id) => id === root.id ? root : of(tree.nodeById(id)),
    close: () => tree.close(),
  };
}

function withHarness(
  names: readonly string[],
  test: (harness: OverlayHarness) => void,
  makeDamage = malformed,
): void {
  const diffPath = Deno.makeTempDirSync({ prefix: "pbkfs-damaged-" });
  try {
    const harness = new OverlayHarness(damagedTree(names, makeDamage), diffPath);
    test(harness);
    harness.unmount();
  } finally {
    Deno.removeSync(diffPath, { recursive: true });
  }
}

/** What a lister gets of a directory before it hears of the damage. */
function listedBeforeDamage(harness: OverlayHarness, path: string): string[] {
  const names: string[] = [];
  assert.throws(() => harness.list(path, names), DAMAGE);
  return names.sort();
}

Deno.test("Overlay lists what can be read of a damaged directory, and then tells of the damage", () => {
  withHarness(["a", UNREADABLE, "z"], (harness) => {
    assert.deepEqual(listedBeforeDamage(harness, "d"), ["a", UNREADABLE, "z"]);
    assert.deepEqual(harness.list("whole"), []);
    assert.throws(() => harness.read(`d/${LOST}`), DAMAGE);
    assert.throws(() => harness.read(`d/${UNREADABLE}`), DAMAGE);
    assert.equal(new TextDecoder().decode(harness.read("d/z")), "z");
  });
});

Deno.test("Overlay tells of damage to a lister that asks for more than there is at once", () => {
  const names = Array.from({ length: 3000 }, (_, index) => `${index}`.padStart(60, "n"));
  withHarness(names, (harness) => {
    const open = new OpenSlot();
    harness.with("d", (nodeId) => {
      const { overlay } = harness;
      assert.equal(overlay.opendir(nodeId, open), 0);
      const seen: string[] = [];
      let cookie = 0;
      const emit = (name: string, _ino: number, _type: number, next: number) => {
        seen.push(name);
        cookie = next;
        return true;
      };
      assert.equal(overlay.readdir(nodeId, open.handle, 0, emit), 0);
      assert.deepEqual(seen.slice(2), names);
      assert.throws(() => overlay.readdir(nodeId, open.handle, cookie, emit), DAMAGE);
      overlay.releasedir(nodeId, open.handle);
    });
  });
});

Deno.test("Overlay keeps names and whiteouts of the diff in a damaged directory", () => {
  withHarness(["a", "b", "z"], (harness) => {
    harness.create("d/new");
    harness.unlink("d/a");
    harness.write("d/b", 0, new TextEncoder().encode("B"));
    for (const _ of [1, 2]) {
      assert.deepEqual(listedBeforeDamage(harness, "d"), ["b", "new", "z"]);
      harness.remount();
    }
  });
});

/** Gives what the diff has under one name another one, as if the lower tree were damaged since. */
function moveInDiff(harness: OverlayHarness, from: string, to: string): void {
  harness.unmount();
  Deno.renameSync(`${harness.diffPath}/data/${from}`, `${harness.diffPath}/data/${to}`);
  harness.mount();
}

Deno.test("Overlay serves a file of the diff whose place in the lower tree is damaged", () => {
  withHarness(["a"], (harness) => {
    const content = new TextEncoder().encode("new");
    harness.create("d/new", content);
    moveInDiff(harness, "d/new", `d/${LOST}`);
    assert.deepEqual(listedBeforeDamage(harness, "d"), ["a", LOST]);
    assert.deepEqual(harness.read(`d/${LOST}`), content);
    harness.write(`d/${LOST}`, 0, content.toReversed());
    // Whether a whiteout must stay behind is not known.
    assert.throws(() => harness.unlink(`d/${LOST}`), DAMAGE);
    assert.throws(() => harness.rename(`d/${LOST}`, "d/moved"), DAMAGE);
    assert.deepEqual(harness.read(`d/${LOST}`), content.toReversed());
    harness.rename("d/a", `d/${LOST}`);
    assert.equal(new TextDecoder().decode(harness.read(`d/${LOST}`)), "a");
    assert.deepEqual(listedBeforeDamage(harness, "d"), [LOST]);
  });
});

Deno.test("Overlay hides what the diff has removed, also where the lower tree is damaged", () => {
  withHarness(["a"], (harness) => {
    harness.unlink("d/a");
    moveInDiff(harness, "d/a", `d/${LOST}`);
    assert.throws(() => harness.stat(`d/${LOST}`), { errno: Errno.ENOENT });
    // Whether something would show through the new directory is not known.
    assert.throws(() => harness.mkdir(`d/${LOST}`), DAMAGE);
    assert.deepEqual([...Deno.readDirSync(`${harness.diffPath}/tmp`)], []);
    harness.create(`d/${LOST}`);
    assert.deepEqual(listedBeforeDamage(harness, "d"), ["a", LOST]);
  });
});

Deno.test("Overlay removes a damaged directory when all that can be read of it is gone", () => {
  withHarness(["a"], (harness) => {
    assert.throws(() => harness.rmdir("d"), { errno: Errno.ENOTEMPTY });
    assert.throws(() => harness.rename("whole", "d"), { errno: Errno.ENOTEMPTY });
    harness.unlink("d/a");
    assert.deepEqual(listedBeforeDamage(harness, "d"), []);
    harness.rmdir("d");
    for (const _ of [1, 2]) {
      assert.throws(() => harness.stat("d"), { errno: Errno.ENOENT });
      assert.deepEqual(harness.list(""), ["whole"]);
      harness.remount();
    }
    // Nothing of it shows through a new one.
    harness.mkdir("d");
    assert.deepEqual(harness.list("d"), []);
    assert.throws(() => harness.stat(`d/${LOST}`), { errno: Errno.ENOENT });
  });
});

Deno.test("Overlay renames over a damaged directory when all that can be read of it is gone", () => {
  withHarness([], (harness) => {
    harness.create("whole/x");
    harness.rename("whole", "d");
    for (const _ of [1, 2]) {
      assert.deepEqual(harness.list(""), ["d"]);
      assert.deepEqual(harness.list("d"), ["x"]);
      harness.remount();
    }
  });
});

Deno.test("Overlay does not take a directory for empty that the disk does not give", () => {
  withHarness([], (harness) => {
    assert.throws(() => harness.rmdir("d"), { errno: Errno.EIO });
    assert.throws(() => harness.rename("whole", "d"), { errno: Errno.EIO });
  }, () => new OsError(Errno.EIO, "read", "archive"));
});
