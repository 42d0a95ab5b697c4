import assert from "node:assert/strict";

import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { OsError, StateError } from "#src/errors.ts";
import { openSource, type Source } from "#src/sources/mod.ts";
import { LocalTree } from "#src/transfer/local_tree.ts";
import { diffTrees } from "#src/transfer/diff.ts";
import type { FileContent, MountableTree, Node } from "#src/tree/node.ts";
import { findEntry } from "#src/tree/paths.ts";
import { bash, describeTree, makeEverythingTree } from "#tests/support/everything_tree.ts";
import { survivePowerCuts } from "#tests/overlay/_power_cuts.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { checkMountableTree } from "#tests/support/tree_conformance.ts";

const IS_ROOT = Deno.uid() === 0;

/** A directory with `script` run in it, open as a source. */
class Place implements Disposable {
  readonly home = new TempDirectory("directory");
  readonly path = this.home.join("tree");
  source!: Source;
  tree!: MountableTree;

  static async open(script: string): Promise<Place> {
    const place = new Place();
    Deno.mkdirSync(place.path);
    await place.run(script);
    place.source = await openSource(`dir:${place.path}`);
    place.tree = place.source.openTree();
    return place;
  }

  async run(script: string): Promise<void> {
    await bash(`cd "$1"; ${script}`, this.path);
  }

  node(path: string): Node {
    return findEntry(this.tree, path) ?? assert.fail(`no "${path}"`);
  }

  text(path: string): string {
    const node = this.node(path);
    assert.ok(node.kind === "file");
    const content = node.open();
    try {
      return read(content, node.attributes.size);
    } finally {
      content.close();
    }
  }

  [Symbol.dispose](): void {
    this.tree.close();
    this.source[Symbol.dispose]();
    this.home[Symbol.dispose]();
  }
}

Deno.test("A large file of a directory is changed in blocks, which survive kills and power cuts", async () => {
  // Smaller ones are copied whole.
  using place = await Place.open("head -c 20000 /dev/urandom >big; truncate -s 17M big");
  survivePowerCuts(place.tree, 1);
});

function read(content: FileContent, size: number): string {
  const target = allocateNativeBuffer(size);
  const count = content.readInto(target, 0, size, 0);
  return new TextDecoder().decode(target.bytes.slice(0, count));
}

function isChanged(path: RegExp) {
  return (error: unknown) =>
    error instanceof StateError && error.code === "source-changed" && path.test(error.message);
}

Deno.test({
  name: "A directory as a source shows all that an archive can hold, and leaves it as it is",
  ignore: !IS_ROOT,
  async fn() {
    using home = new TempDirectory("directory");
    const path = home.join("tree");
    Deno.mkdirSync(path);
    await makeEverythingTree(path, 300, 50_000_000);
    const before = await describeTree(path);
    const accessed = await bash(`find "$1" -printf '%p %A@\\n' | sort`, path);
    using source = await openSource(path);
    assert.equal(source.summary.kind, "dir");
    checkMountableTree(() => source.openTree());
    await source.identify();
    const tree = source.openTree();
    assert.deepEqual([...diffTrees(new LocalTree(path), tree)], []);
    const sparse = tree.root.lookup("sparse");
    assert.ok(sparse?.kind === "file");
    const content = sparse.open();
    assert.ok(content.nextData!(1 << 20) > 30_000_000);
    assert.ok(content.nextHole!(0) < 1 << 20);
    assert.equal(content.nextData!(49_999_999), 50_000_000);
    content.close();
    tree.close();
    assert.equal(await describeTree(path), before);
    assert.equal(await bash(`find "$1" -printf '%p %A@\\n' | sort`, path), accessed);
  },
});

Deno.test("A file that has got another content cannot be read any more, in no thread and by no name", async () => {
  using place = await Place.open(`echo one >f; mkdir d; echo two >d/g; ln d/g h; echo x >other`);
  const file = place.node("f");
  const again = place.source.openTree();
  assert.ok(file.kind === "file");
  const content = file.open();
  assert.equal(read(content, 4), "one\n");
  place.text("d/g");
  await place.run(`sleep 0.02; echo ONE >f; echo more >>h`);
  assert.throws(() => read(content, 4), isChanged(/tree\/f"/));
  content.close();
  assert.throws(() => file.open(), isChanged(/tree\/f"/));
  assert.throws(() => place.node("f"), isChanged(/tree\/f"/));
  assert.throws(() => place.tree.nodeById(file.id), isChanged(/tree\/f"/));
  assert.throws(() => again.nodeById(file.id), isChanged(/tree\/f"/));
  assert.throws(() => place.node("h"), isChanged(/tree\/h"/));
  assert.equal(place.text("other"), "x\n");
  again.close();
  using fresh = await openSource(place.path);
  const tree = fresh.openTree();
  assert.deepEqual([...diffTrees(new LocalTree(place.path), tree)], []);
  tree.close();
});

Deno.test("identify() has seen all files: each change behind it is found out", async () => {
  using place = await Place.open(`mkdir -p a/b; echo one >a/b/f; echo two >g`);
  await place.source.identify();
  await place.run(`sleep 0.02; echo ONE >a/b/f`);
  assert.throws(() => place.node("a/b/f"), isChanged(/a\/b\/f"/));
  await assert.rejects(place.source.identify(), isChanged(/a\/b\/f"/));
});

Deno.test("Names that lead elsewhere meanwhile are followed nowhere", async () => {
  using place = await Place.open(`
    mkdir -p d/e out; echo secret >out/f; echo inside >d/e/f; echo g >g; mkfifo pipe`);
  const file = place.node("d/e/f");
  const plain = place.node("g");
  const pipe = place.node("pipe");
  assert.ok(file.kind === "file" && plain.kind === "file" && pipe.kind === "fifo");
  await place.run(`mv d/e d/was; ln -s ../out d/e; rm g; ln -s out/f g; rm pipe; ln -s out pipe`);
  const again = place.source.openTree();
  assert.throws(() => again.nodeById(file.id), isChanged(/d\/e"/));
  // Where the directory itself is open already, it is still that file.
  assert.equal(read(file.open(), 7), "inside\n");
  assert.throws(() => plain.open(), isChanged(/g"/));
  assert.throws(() => place.tree.nodeById(pipe.id), isChanged(/pipe"/));
  // A directory in its place is another one, too.
  await place.run(`rm d/e; mkdir d/e; echo other >d/e/f`);
  assert.throws(() => again.nodeById(file.id), isChanged(/d\/e/));
  again.close();
  await place.run(`rm -r d/e; mv d/was d/e`);
  assert.equal(place.text("d/e/f"), "inside\n");
  for (const name of ["..", ".", "", "d/e", "../tree/out", "a\0b"]) {
    const found = place.tree.root.lookup(name);
    assert.ok(found === undefined || name === "." || name === "..", name);
  }
});

Deno.test("A number never means another file than the one that had it first", async () => {
  using place = await Place.open(`echo one >f; echo 2 >g`);
  const seen = new Map<number, string>();
  seen.set(place.node("f").id, "one\n");
  for (let round = 0; round < 40; round++) {
    // New files mostly get the inode number of the one that is gone.
    await place.run(`rm -f f n*; echo "round ${round}" >n${round}; echo "${round}" >f`);
    for (const name of ["f", `n${round}`]) {
      try {
        const { id } = place.node(name);
        assert.equal(seen.get(id), undefined, name);
        seen.set(id, place.text(name));
      } catch (error) {
        isChanged(/./)(error) || assert.fail(String(error));
      }
    }
  }
  assert.equal(place.text("g"), "2\n");
});

Deno.test("Hard links out of the directory do not count once everything was looked at", async () => {
  using place = await Place.open(`echo a >f; ln f ../outside; echo b >g; ln g h; ln g ../too`);
  assert.equal(place.node("f").attributes.nlink, 2);
  assert.equal(place.node("g").attributes.nlink, 3);
  await place.source.identify();
  assert.equal(place.node("f").attributes.nlink, 1);
  assert.equal(place.node("g").attributes.nlink, 2);
  assert.equal(place.node("g").id, place.node("h").id);
});

Deno.test("Directories of any depth and names of any bytes are shown", async () => {
  using place = await Place.open(`
    python3 -c '
import os
for i in range(1500):
    os.mkdir("d%d" % i); os.chdir("d%d" % i)
open(b"\\xff\\xfe", "w").write("deep")'`);
  let node: Node = place.tree.root;
  for (let depth = 0; depth < 1500; depth++) {
    assert.ok(node.kind === "directory");
    node = node.lookup(`d${depth}`)!;
  }
  assert.ok(node.kind === "directory");
  const file = [...node.entries()][0]!.node;
  assert.equal(place.tree.nodeById(file.id)?.id, file.id);
  assert.equal(file.attributes.size, 4);
  await place.run(`rm -rf d0`);
});

Deno.test("A directory that is none is refused", async () => {
  using home = new TempDirectory("directory");
  Deno.writeTextFileSync(home.join("file"), "");
  const isOs = (code: string) => (error: unknown) =>
    error instanceof OsError && error.code === code;
  await assert.rejects(openSource(`dir:${home.join("none")}`), isOs("ENOENT"));
  await assert.rejects(openSource(`dir:${home.join("file")}`), isOs("ENOTDIR"));
});
