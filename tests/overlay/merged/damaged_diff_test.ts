/**
 * The merged tree of a diff in which somebody has meddled: what is damaged is refused, the rest is
 * there.
 */

import assert from "node:assert/strict";
import { Errno, FormatError, OsError } from "#src/errors.ts";
import { openNativeSource } from "#src/io/files/native_source.ts";
import { scanDiff } from "#src/overlay/merged/diff_scan.ts";
import { ID_MAX, MergedTree } from "#src/overlay/merged/merged_tree.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { memoryDirectory, memoryFile, MemoryTree } from "#src/tree/memory_tree.ts";
import type { FileNode, Node } from "#src/tree/node.ts";
import { NONCE, OverlayHarness } from "../harness.ts";

const BLOCK = 8192;

/** A diff in which `d/a` and `d/b` are changed in parts, and `moved` was `e`. */
function withTree(meddle: (data: string) => void, test: (tree: MergedTree) => void): void {
  const diffPath = Deno.makeTempDirSync({ prefix: "pbkfs-damaged-" });
  try {
    const file = () => memoryFile(new Uint8Array(4 * BLOCK).fill(1));
    const lower = new MemoryTree(memoryDirectory({
      d: memoryDirectory({ a: file(), b: file(), c: file() }),
      e: memoryDirectory({ f: file() }),
    }));
    const harness = new OverlayHarness(lower, diffPath);
    for (const name of ["d/a", "d/b"]) harness.write(name, BLOCK, new Uint8Array(BLOCK).fill(2));
    harness.rename("e", "moved");
    harness.unmount();
    meddle(`${diffPath}/data`);
    const index = scanDiff(diffPath);
    const scanned = {
      diffPath,
      nonce: NONCE,
      index,
      firstId: ID_MAX,
      hasExtendedAttributes: false,
    };
    test(new MergedTree(scanned, lower, openNativeSource));
  } finally {
    Deno.removeSync(diffPath, { recursive: true });
  }
}

function find(tree: MergedTree, path: string): Node | undefined {
  return path.split("/").reduce<Node | undefined>(
    (node, name) => node?.kind === "directory" ? node.lookup(name) : undefined,
    tree.root,
  );
}

function readAll(node: Node | undefined): Uint8Array {
  const buffer = allocateNativeBuffer(8 * BLOCK);
  const content = (node as FileNode).open();
  const count = content.readInto(buffer, 0, buffer.bytes.length, 0);
  content.close();
  return buffer.bytes.subarray(0, count);
}

function overwrite(path: string, offset: number, bytes: Uint8Array): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(offset, Deno.SeekMode.Start);
  file.writeSync(bytes);
}

/** The rest of the tree is as it was. */
function checkOthers(tree: MergedTree): void {
  assert.equal(readAll(find(tree, "d/b"))[BLOCK], 2);
  assert.equal(readAll(find(tree, "d/c"))[BLOCK], 1);
}

Deno.test("A damaged header is refused where its file is looked up, and nowhere else", () => {
  for (const offset of [24, 28, 32, 36, 64, 68, 72]) {
    withTree((data) => overwrite(`${data}/d/a`, offset, Uint8Array.of(0xee, 0xee)), (tree) => {
      assert.throws(() => find(tree, "d/a"), FormatError);
      const names = [...(find(tree, "d") as { entries(): Iterable<{ name: string }> }).entries()];
      assert.deepEqual(names.map(({ name }) => name), ["a", "b", "c"]);
      checkOthers(tree);
    });
  }
});

Deno.test("A header with another nonce is content of a file that is new", () => {
  withTree((data) => overwrite(`${data}/d/a`, 8, Uint8Array.of(0xee)), (tree) => {
    const file = find(tree, "d/a") as FileNode;
    assert.deepEqual(file.kept?.ranges(), []);
    assert.ok(file.attributes.size > 4 * BLOCK);
    checkOthers(tree);
  });
});

Deno.test("A file that was cut inside of its maps is refused, and one that was cut later is shorter", () => {
  withTree((data) => Deno.truncateSync(`${data}/d/a`, 5000), (tree) => {
    assert.throws(() => find(tree, "d/a"), FormatError);
    checkOthers(tree);
  });
  withTree((data) => Deno.truncateSync(`${data}/d/a`, 3 * 4096 + BLOCK + 1), (tree) => {
    const bytes = readAll(find(tree, "d/a"));
    assert.equal(bytes.length, BLOCK + 1);
    assert.deepEqual([...new Set(bytes.subarray(0, BLOCK))], [1]);
    assert.equal(bytes[BLOCK], 2);
    checkOthers(tree);
  });
});

Deno.test("A marker that says nothing, or leads nowhere, is refused where the directory is read", () => {
  for (const text of ["", "lower ", "lower ../../etc\n", "lower d/a\n", "lower none\n"]) {
    withTree((data) => Deno.writeTextFileSync(`${data}/moved/.pbkfs-directory`, text), (tree) => {
      assert.throws(() => find(tree, "moved/f"), FormatError, JSON.stringify(text));
      checkOthers(tree);
    });
  }
});

Deno.test("What leads out of the diff is not followed", () => {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(path, "secret".repeat(1000));
    withTree((data) => {
      Deno.removeSync(`${data}/d/a`);
      Deno.symlinkSync(path, `${data}/d/a`);
      Deno.symlinkSync("/etc", `${data}/outside`);
    }, (tree) => {
      const link = find(tree, "d/a");
      assert.equal(link?.kind === "symlink" && link.target, path);
      assert.equal(find(tree, "outside/passwd"), undefined);
      checkOthers(tree);
    });
    let data = "";
    withTree((path) => data = path, (tree) => {
      const whole = find(tree, "d/b") as FileNode;
      Deno.removeSync(`${data}/d/b`);
      Deno.symlinkSync(path, `${data}/d/b`);
      assert.throws(() => readAll(whole), (error) => {
        return error instanceof OsError && error.errno === Errno.ELOOP;
      });
    });
  } finally {
    Deno.removeSync(path);
  }
});
