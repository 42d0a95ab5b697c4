/**
 * Links of the lower tree that name the place of the mount, and the directory that listings leave
 * out.
 */

import assert from "node:assert/strict";
import { memoryDirectory, memoryFile, memorySymlink, MemoryTree } from "#src/tree/memory_tree.ts";
import { AttributeChange, Change } from "#src/tree/file_system.ts";
import type { MountableTree } from "#src/tree/node.ts";
import { OverlayHarness } from "./harness.ts";

const TOUCHED_SECONDS = 1_000_000;

/** A tree as it is when mounted at `mountPath`: with a link into itself, and another link. */
function treeAt(mountPath: string): MountableTree {
  const tree = new MemoryTree(
    memoryDirectory({
      links: memoryDirectory({
        inner: memorySymlink(`${mountPath}/.pbkfs/spaces/inner`),
        outer: memorySymlink("/outer"),
      }),
      ".pbkfs": memoryDirectory({
        spaces: memoryDirectory({ inner: memoryDirectory({ file: memoryFile("content") }) }),
      }),
    }),
  );
  const links = tree.root.lookup("links");
  assert.ok(links?.kind === "directory");
  Object.assign(links.lookup("inner")!, { followsMount: true });
  return tree;
}

function withDiff(test: (diffPath: string) => void): void {
  const diffPath = Deno.makeTempDirSync({ prefix: "pbkfs-links-" });
  try {
    test(diffPath);
  } finally {
    Deno.removeSync(diffPath, { recursive: true });
  }
}

function readLink(harness: OverlayHarness, path: string): string {
  return harness.with(path, (nodeId) => {
    const target = harness.overlay.readlink(nodeId);
    assert.ok(typeof target === "string", `${path}: ${target}`);
    assert.equal(harness.stat(path).size, new TextEncoder().encode(target).length, path);
    return target;
  });
}

/** What brings a link into the diff and changes nothing of it that is looked at here. */
function touch(harness: OverlayHarness, path: string): void {
  const change = new AttributeChange();
  change.mask = Change.MTIME;
  change.mtimeSeconds = TOUCHED_SECONDS;
  harness.change(path, change);
}

Deno.test("Overlay gives links into the mount the target of this mount, also when the diff has them", () => {
  withDiff((diffPath) => {
    const first = new OverlayHarness(treeAt("/mnt/one"), diffPath);
    touch(first, "links/inner");
    touch(first, "links/outer");
    first.link("links/inner", "links/second");
    const inode = first.stat("links/inner").ino;
    const check = (harness: OverlayHarness, mountPath: string) => {
      const inner = `${mountPath}/.pbkfs/spaces/inner`;
      assert.equal(readLink(harness, "links/inner"), inner);
      assert.equal(readLink(harness, "links/second"), inner);
      assert.equal(readLink(harness, "links/outer"), "/outer");
      assert.equal(harness.stat("links/inner").mtimeSeconds, TOUCHED_SECONDS);
      assert.equal(harness.stat("links/inner").ino, inode);
      assert.equal(harness.stat("links/second").nlink, 2);
    };
    check(first, "/mnt/one");
    first.unmount();
    const longer = new OverlayHarness(treeAt("/mnt/æ longer place"), diffPath);
    check(longer, "/mnt/æ longer place");
    longer.rename("links/second", "moved");
    assert.equal(readLink(longer, "moved"), "/mnt/æ longer place/.pbkfs/spaces/inner");
    longer.unmount(false);
    const relative = new OverlayHarness(treeAt(".."), diffPath);
    assert.equal(readLink(relative, "moved"), "../.pbkfs/spaces/inner");
    relative.unmount();
  });
});

Deno.test("Overlay keeps links that were made through the mount as they were written", () => {
  withDiff((diffPath) => {
    const first = new OverlayHarness(treeAt("/mnt/one"), diffPath);
    first.unlink("links/inner");
    const made = ["/mnt/one/.pbkfs/spaces/inner", "PBKFSLNK:00:links/inner", "../x"];
    const caller = { uid: 0, gid: 0, umask: 0 };
    const entry = first.lookup("links");
    made.forEach((target, index) => {
      const name = index === 0 ? "inner" : `made${index}`;
      const out = first.lookup("");
      const result = first.overlay.symlink(entry.nodeId, name, target, caller, out);
      assert.equal(result, 0);
      first.overlay.forget(out.nodeId, 1);
    });
    first.overlay.forget(entry.nodeId, 1);
    first.unmount();
    const second = new OverlayHarness(treeAt("/mnt/two"), diffPath);
    assert.equal(readLink(second, "links/inner"), made[0]);
    assert.equal(readLink(second, "links/made1"), made[1]);
    assert.equal(readLink(second, "links/made2"), made[2]);
    second.unmount();
  });
});

Deno.test("Overlay names a link of the diff whose origin the backup does not have", () => {
  withDiff((diffPath) => {
    const first = new OverlayHarness(treeAt("/mnt/one"), diffPath);
    touch(first, "links/inner");
    first.unmount();
    const other = new MemoryTree(memoryDirectory({ links: memoryDirectory({}) }));
    const second = new OverlayHarness(other, diffPath);
    assert.throws(() => second.stat("links/inner"), /no such link/);
    second.unlink("links/inner");
    assert.deepEqual(second.list("links"), []);
    second.unmount();
  });
});

Deno.test("Overlay lists the root without the control directory, and lets nobody remove what that holds of the backup", () => {
  withDiff((diffPath) => {
    const harness = new OverlayHarness(treeAt("/mnt/one"), diffPath);
    const check = () => {
      assert.deepEqual(harness.list(""), ["links"]);
      assert.ok(harness.exists(".pbkfs/spaces/inner/file"));
    };
    check();
    assert.throws(() => harness.rename(".pbkfs/spaces", "links/gone"), /EPERM/);
    assert.throws(() => harness.rename("links", ".pbkfs"), /EPERM/);
    assert.throws(() => harness.rename("links", ".pbkfs", 2), /EPERM/);
    harness.unlink(".pbkfs/spaces/inner/file");
    harness.rmdir(".pbkfs/spaces/inner");
    assert.throws(() => harness.rmdir(".pbkfs/spaces"), /EPERM/);
    assert.throws(() => harness.rmdir(".pbkfs"), /EPERM/);
    // Only the name in the root is this program's.
    harness.mkdir("links/.pbkfs");
    assert.deepEqual(harness.list("links"), [".pbkfs", "inner", "outer"]);
    harness.mkdir(".pbkfs/spaces/inner");
    harness.create(".pbkfs/spaces/inner/file", new Uint8Array(1));
    harness.remount();
    // In the diff as well as in the backup.
    check();
    harness.unmount();
  });
});
