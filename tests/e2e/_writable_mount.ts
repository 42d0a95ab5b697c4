/**
 * Mounts with a diff directory, and what whoever writes through one may rely on.
 *
 * @module
 */

import assert from "node:assert/strict";
import { findLockHolder } from "#src/overlay/diff_lock.ts";
import { bash } from "#tests/support/everything_tree.ts";
import { waitUntil } from "#tests/support/process.ts";
import type { TempDirectory } from "#tests/support/temp_directory.ts";
import { ArchiveMount, pbkfs } from "./_archive_mount.ts";
import type { PbsStore } from "./_pbs_store.ts";

/** A mount with a diff directory, of anything that `pbkfs` can mount by `command`. */
export class WritableMount extends ArchiveMount {
  readonly diff = this.home.join("diff");

  constructor(readonly command: readonly string[]) {
    super();
  }

  tryMount(options: readonly string[] = [], command = this.command) {
    return pbkfs([...command, this.root, "--diff-dir", this.diff, ...options]);
  }

  async mustMount(options: readonly string[] = []): Promise<void> {
    const { code, stderr } = await this.tryMount(options);
    assert.equal(stderr, "");
    assert.equal(code, 0);
  }

  async mustUnmount(): Promise<void> {
    const { code, stderr } = await pbkfs(["unmount", "-D", this.root]);
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.equal(this.binding["state"], "Released");
  }

  async refuses(message: RegExp, options: readonly string[] = [], command = this.command) {
    const { code, stderr } = await this.tryMount(options, command);
    assert.match(stderr, message);
    assert.equal(code, 1);
  }

  get binding(): Record<string, unknown> {
    return JSON.parse(Deno.readTextFileSync(`${this.diff}/.pbkfs-binding.json`));
  }

  async out(script: string): Promise<string> {
    return (await this.sh(`cd "$1" && ${script}`)).stdout;
  }
}

/** Makes the tree that {@link exercise} changes. */
export const TREE = `
  cd "$1"; mkdir -p d; echo one >d/f; echo two >g
  head -c 3000000 /dev/urandom >big
  truncate -s 20M sparse; printf x | dd of=sparse bs=1 seek=9000000 conv=notrunc 2>/dev/null
  echo linked >a; ln a b; ln -s g link`;

/** Packs what `script` makes. @returns path of the archive */
export async function makeArchive(
  home: TempDirectory,
  name = "x.pxar",
  script = TREE,
): Promise<string> {
  const tree = home.join(`${name}.src`);
  Deno.mkdirSync(tree);
  await bash(script, tree);
  const archive = home.join(name);
  const { code, stderr } = await pbkfs(["pxar", "create", archive, tree]);
  assert.equal(code, 0, stderr);
  return archive;
}

/** What everybody who writes through a mount may rely on. */
export async function exercise(place: WritableMount): Promise<void> {
  await place.mustMount();
  await place.out(`echo more >>d/f; echo new >n; rm g; mv big moved; mkdir e; echo in >e/f
    printf Z | dd of=moved bs=1 seek=100 conv=notrunc 2>/dev/null
    printf Y | dd of=sparse bs=1 seek=15000000 conv=notrunc 2>/dev/null; sync`);
  const { pid } = findLockHolder(place.diff)!;
  Deno.kill(pid!, "SIGKILL");
  await waitUntil(() => findLockHolder(place.diff) === undefined, 20_000, () => "the lock");
  await place.mustMount();
  assert.equal(await place.out("cat d/f n e/f"), "one\nmore\nnew\nin\n");
  assert.equal(await place.out("ls | sort | xargs"), LISTED);
  assert.equal(
    await place.out("readlink link; dd if=moved bs=1 skip=100 count=1 2>/dev/null"),
    "g\nZ",
  );
  const zeros = "head -c 9000000 sparse | tr -d '\\0' | wc -c";
  assert.equal(
    await place.out(`tail -c +9000001 sparse | tr -d '\\0'; ${zeros}; stat -c %s sparse`),
    "xY0\n20971520\n",
  );
  const { stdout } = await pbkfs(["stat", "-D", place.root, "--format", "json"]);
  assert.ok(JSON.parse(stdout).diff.files > 0, stdout);
  await place.mustUnmount();
}

const LISTED = "a b d e link moved n sparse\n";

/** Mounts the archive of a snapshot. */
export function mountCommand(store: PbsStore, snapshot: string): string[] {
  return ["pbs", "mount", "--repository", `dir:${store.path}`, snapshot, "root.pxar"];
}
