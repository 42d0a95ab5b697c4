/** Names of the lower tree are asked for without a lock: changes may come in between. */

import assert from "node:assert/strict";
import { Errno } from "#ffi/os_error.ts";
import { memoryDirectory, memoryFile, MemoryTree } from "#src/tree/memory_tree.ts";
import type { DirectoryNode, MountableTree, Node } from "#src/tree/node.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { OverlayHarness } from "./harness.ts";

/** A tree in whose directory `d` something happens while it is asked for a name, or listed. */
class SlowTree implements MountableTree {
  /** Done once, when the lower tree is asked for this name, or `*`: listed. */
  meanwhile: { readonly name: string; run(): void } | undefined;
  readonly root: DirectoryNode;
  readonly #tree = new MemoryTree(memoryDirectory({
    d: memoryDirectory({
      a: memoryFile("lower a"),
      b: memoryFile("lower b"),
      empty: memoryDirectory({}),
    }),
  }));
  readonly #slow: DirectoryNode;

  constructor() {
    const whole = this.#tree.root.lookup("d") as DirectoryNode;
    this.#slow = Object.assign(Object.create(whole), {
      lookup: (name: string) => {
        this.#pass(name);
        return whole.lookup(name);
      },
      entries: () => {
        this.#pass("*");
        return whole.entries();
      },
    });
    this.root = Object.assign(Object.create(this.#tree.root), {
      lookup: (name: string) => this.#of(this.#tree.root.lookup(name)),
    });
  }

  get knownFields() {
    return this.#tree.knownFields;
  }

  nodeById(id: number): Node | undefined {
    return id === this.root.id ? this.root : this.#of(this.#tree.nodeById(id));
  }

  close(): void {
    this.#tree.close();
  }

  #of(node: Node | undefined): Node | undefined {
    return node?.id === this.#slow.id ? this.#slow : node;
  }

  #pass(name: string): void {
    const { meanwhile } = this;
    if (meanwhile?.name !== name) return;
    this.meanwhile = undefined;
    meanwhile.run();
  }
}

const NOREPLACE = 1;

/** Runs `change` when a step has come to the lower tree's `name`. */
function test(
  title: string,
  name: string,
  change: (harness: OverlayHarness) => void,
  step: (harness: OverlayHarness) => void,
): void {
  Deno.test(`while the lower tree is asked for a name: ${title}`, () => {
    using scratch = new TempDirectory("names");
    const tree = new SlowTree();
    const harness = new OverlayHarness(tree, scratch.join("diff"));
    tree.meanwhile = { name, run: () => change(harness) };
    step(harness);
    assert.equal(tree.meanwhile, undefined, "nothing has come in between");
    harness.unmount();
  });
}

function textOf(harness: OverlayHarness, path: string): string {
  return new TextDecoder().decode(harness.read(path));
}

const NEW = new TextEncoder().encode("new");

test("a name that is made is found", "x", (harness) => harness.create("d/x", NEW), (harness) => {
  assert.equal(textOf(harness, "d/x"), "new");
});

test("a name that is removed is not", "a", (harness) => harness.unlink("d/a"), (harness) => {
  assert.throws(() => harness.stat("d/a"), { errno: Errno.ENOENT });
});

test("a file that takes its place is found", "a", (harness) => {
  harness.create("d/x", NEW);
  harness.rename("d/x", "d/a");
}, (harness) => {
  assert.equal(textOf(harness, "d/a"), "new");
});

test("a name is made once", "x", (harness) => harness.mkdir("d/x"), (harness) => {
  assert.throws(() => harness.create("d/x"), { errno: Errno.EEXIST });
  assert.throws(() => harness.mkdir("d/x"), { errno: Errno.EEXIST });
});

test("a name is removed once", "a", (harness) => harness.unlink("d/a"), (harness) => {
  assert.throws(() => harness.unlink("d/a"), { errno: Errno.ENOENT });
});

test("nothing new is renamed over", "x", (harness) => harness.create("d/x", NEW), (harness) => {
  assert.throws(() => harness.rename("d/a", "d/x", NOREPLACE), { errno: Errno.EEXIST });
  assert.equal(textOf(harness, "d/a"), "lower a");
  assert.equal(textOf(harness, "d/x"), "new");
});

test("what is gone is not renamed", "b", (harness) => harness.unlink("d/a"), (harness) => {
  assert.throws(() => harness.rename("d/a", "d/b"), { errno: Errno.ENOENT });
  assert.equal(textOf(harness, "d/b"), "lower b");
});

test("a directory that is filled is not removed", "empty", (harness) => {
  harness.create("d/empty/x");
}, (harness) => {
  assert.throws(() => harness.rmdir("d/empty"), { errno: Errno.ENOTEMPTY });
  assert.deepEqual(harness.list("d/empty"), ["x"]);
});

test("a listing has every name that is there throughout, once", "*", (harness) => {
  harness.create("d/late");
  harness.unlink("d/a");
  harness.write("d/b", 0, NEW);
}, (harness) => {
  const names = harness.list("d").filter((name) => name !== "a" && name !== "late");
  assert.deepEqual(names, ["b", "empty"]);
  assert.deepEqual(harness.list("d"), ["b", "empty", "late"]);
});
