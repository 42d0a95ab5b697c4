/** Sources of every kind, restored: trees, metadata and names are those of the source. */

import assert from "node:assert/strict";
import type { Source } from "#src/sources/mod.ts";
import { diffTrees } from "#src/transfer/diff.ts";
import { LocalTree } from "#src/transfer/local_tree.ts";
import { walk } from "#src/tree/walk.ts";
import { type RestoreRequest, restoreSource } from "#src/usecases/restore/restore.ts";
import { spawnThread } from "#src/usecases/threads.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { restoreRequest } from "./_request.ts";
import { EXAMPLES, openExample } from "#tests/sources/_examples.ts";

/** What a backup has beside its data directory. */
const EXTRAS_NAME = ".pbkfs";

function restore(
  source: Source,
  request: RestoreRequest,
  onProgress: () => void = () => {},
) {
  return restoreSource(source, request, spawnThread, onProgress);
}

function assertRestored(source: Source, target: string): void {
  const restored = new LocalTree(target);
  const tree = source.openTree();
  try {
    const ignoredRootNames = new Set([EXTRAS_NAME]);
    const differences = [...diffTrees(tree, restored, { ignoredRootNames })];
    assert.deepEqual(differences.map(({ type, path }) => `${type} ${path}`), []);
  } finally {
    tree.close();
    restored.close();
  }
}

for (const example of EXAMPLES) {
  Deno.test(`${example.title} is restored as it is, and again over what was changed`, async () => {
    using home = new TempDirectory("restore-kinds");
    await example.make(home.path, 1);
    const [, kind = "", rest] = /^(\w+:)?(.*)$/u.exec(example.name)!;
    using source = await openExample(`${kind}${home.path}/${rest}`);
    const target = home.join("target");
    const whole = await restore(source, restoreRequest(target));
    assertRestored(source, target);
    if (example.linked !== undefined) {
      assert.equal(Deno.statSync(`${target}/${example.linked}`).nlink, 2);
    }

    const [first] = [...Deno.readDirSync(target)].filter(({ isFile }) => isFile);
    Deno.writeTextFileSync(`${target}/${first!.name}`, "x", { append: true });
    Deno.mkdirSync(`${target}/more/of/it`, { recursive: true });
    Deno.symlinkSync("nowhere", `${target}/more/link`);
    const again = await restore(source, restoreRequest(target, { isIncremental: true }));
    assertRestored(source, target);
    assert.equal(again.removed, 1);
    assert.equal(again.writtenBytes + again.unchangedBytes, whole.writtenBytes);
    assert.ok(again.writtenBytes < whole.writtenBytes || whole.writtenBytes < 8192);
  });
}

class Stopped extends Error {}

Deno.test("a restore that stops anywhere goes on behind what it has recorded", async () => {
  using home = new TempDirectory("restore-record");
  const tree = home.join("tree");
  for (let index = 0; index < 40; index++) {
    const directory = `${tree}/directory${index % 7}`;
    Deno.mkdirSync(directory, { recursive: true });
    const bytes = new Uint8Array(index * 3001).map((_, at) => at * index % 251);
    Deno.writeFileSync(`${directory}/file${index}`, bytes);
  }
  // In several pieces, which are written at once.
  Deno.writeFileSync(`${tree}/large`, new Uint8Array(40 << 20).map((_, at) => at % 253));
  using source = await openExample(tree);
  const checkpointBytes = 64 << 10;
  for (let round = 0; round < 8; round++) {
    const target = home.join(`target${round}`);
    let kept = 0;
    for (let stops = 0;; stops++) {
      let left = stops < 4 ? Math.floor(Math.random() * 25) + 1 : Infinity;
      try {
        const request = restoreRequest(target, { checkpointBytes });
        const summary = await restore(source, request, () => {
          if (--left === 0) throw new Stopped();
        });
        assert.equal(summary.isResumed, stops > 0);
        assert.ok(summary.keptFiles >= kept);
        kept = summary.keptFiles;
        break;
      } catch (error) {
        if (!(error instanceof Stopped)) throw error;
        // What is there, and is not recorded, is not trusted.
        spoilUnrecorded(source, target);
      }
    }
    assert.ok(kept > 0, "it has begun anew each time");
    assertRestored(source, target);
  }
});

/** Cuts all files that the record does not count: nothing says that they are complete. */
function spoilUnrecorded(source: Source, target: string): void {
  const record = Deno.readTextFileSync(`${target}/.pbkfs-restore`);
  const counts = [...record.matchAll(/"done":(\d+)/g)].map(([, count]) => Number(count));
  const tree = source.openTree();
  const files = [...walk(tree)].filter(({ node }) => node.kind === "file");
  for (const { path } of files.slice(Math.max(0, ...counts))) {
    try {
      Deno.truncateSync(`${target}/${path}`, 5);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  tree.close();
}
