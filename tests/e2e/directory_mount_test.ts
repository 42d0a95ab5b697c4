/**
 * Mounts of plain directories: read-only they show what is there, over a diff directory they keep
 * what is written, and they leave the directory alone.
 *
 * @module
 */

import assert from "node:assert/strict";
import { StateError, UsageError } from "#src/errors.ts";
import { mount } from "#src/usecases/mounting/mod.ts";
import { bash, describeTree, makeEverythingTree } from "#tests/support/everything_tree.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { TREE } from "./_writable_mount.ts";

/** A directory, and places to mount it. */
class Scene implements Disposable {
  readonly home = new TempDirectory("directory");
  readonly tree = this.home.join("tree");
  readonly mountPath = this.home.join("mnt");
  readonly diffPath = this.home.join("diff");

  constructor() {
    Deno.mkdirSync(this.tree);
    Deno.mkdirSync(this.mountPath);
  }

  async out(script: string): Promise<string> {
    return await bash(`cd "$1"; ${script}`, this.mountPath);
  }

  [Symbol.dispose](): void {
    this.home[Symbol.dispose]();
  }
}

Deno.test({
  name: "A mount of a directory shows all of it",
  ignore: Deno.uid() !== 0,
  async fn() {
    using scene = new Scene();
    await makeEverythingTree(scene.tree, 300, 50_000_000);
    const wanted = await describeTree(scene.tree);
    // A mount has no attributes of chattr(1), and another order of names.
    const lines = (text: string) =>
      text.split("\n").filter((line) => !/^[-a-zA-Z]{15,} /u.test(line)).sort();
    {
      await using _mounted = await mount(scene.tree, { mountPath: scene.mountPath });
      assert.deepEqual(lines(await describeTree(scene.mountPath)), lines(wanted));
      await assert.rejects(bash(`touch "$1/new"`, scene.mountPath), /Read-only file system/);
    }
    assert.equal(await describeTree(scene.tree), wanted);
  },
});

Deno.test("A file that changes below a mount cannot be read there any more; others can", async () => {
  using scene = new Scene();
  await bash(`cd "$1"; echo one >f; echo two >g`, scene.tree);
  await using _mounted = await mount(scene.tree, { mountPath: scene.mountPath });
  assert.equal(await scene.out("cat f"), "one\n");
  await bash(`cd "$1"; sleep 0.02; echo changed >f; echo new >h`, scene.tree);
  // What is in the page cache is the old content; nothing is ever mixed.
  assert.match(
    await scene.out("echo 1 >/proc/sys/vm/drop_caches || true; cat f 2>&1 || true"),
    /^one\n$|Input\/output error/,
  );
  assert.equal(await scene.out("cat g h"), "two\nnew\n");
});

Deno.test("A writable mount of a directory keeps what is written, and refuses another directory", async () => {
  using scene = new Scene();
  const { mountPath, diffPath, tree } = scene;
  await bash(TREE, tree);
  const describe = () => bash(`cd "$1"; find . -printf '%P %y %s %T@ %i\\n' | sort`, tree);
  const before = await describe();
  {
    await using _mounted = await mount(tree, { mountPath, diffPath });
    await scene.out(`echo more >>d/f; echo new >n; rm g; mv big moved; echo both >>a
      printf Z | dd of=moved bs=1 seek=100 conv=notrunc 2>/dev/null`);
  }
  {
    await using _mounted = await mount(tree, { mountPath, diffPath });
    const shown = "cat d/f n b; dd if=moved bs=1 skip=100 count=1 2>/dev/null; ls | xargs";
    assert.equal(
      await scene.out(shown),
      "one\nmore\nnew\nlinked\nboth\nZa b d link moved n sparse\n",
    );
  }
  assert.equal(await describe(), before);
  await bash(`echo x >"$1/d/another"`, tree);
  await assert.rejects(
    mount(tree, { mountPath, diffPath }),
    (error) =>
      error instanceof StateError && error.code === "source-changed" &&
      /9 entries, not 8/.test(error.message),
  );
});

Deno.test("A directory is not mounted inside of itself", async () => {
  using scene = new Scene();
  const mountPath = `${scene.tree}/mnt`;
  Deno.mkdirSync(mountPath);
  for (const source of [scene.tree, scene.home.path]) {
    await assert.rejects(
      mount(source, { mountPath }),
      (error) => error instanceof UsageError && error.code === "overlap",
    );
  }
});
