import assert from "node:assert/strict";
import fc from "fast-check";
import { OsError } from "#src/errors.ts";
import {
  compose,
  copy,
  copyStream,
  copyTree,
  diffTrees,
  merge,
  type Placement,
} from "#src/transfer/mod.ts";
import {
  type ArchiveVersion,
  checkArchives,
  decodeArchive,
  makeArchive,
  type MemoryArchive,
  openArchive,
} from "./_archives.ts";
import { describeTree, type ModelDirectory, ModelWriter, readModel } from "./_model.ts";
import { listNodes, ModelConflict, modelTree, placeAll } from "./_trees.ts";

const SEED = 20_240_229;
const version = fc.constantFrom<ArchiveVersion>(1, 2);
/**
 * Some of the archives that were made go to the independent checker, which takes a process each.
 */
const CHECKED_MAX = 25;

function archiveOf(tree: ModelDirectory, version: ArchiveVersion): MemoryArchive {
  return makeArchive(version, (writer) => copyTree(readModel(tree), writer));
}

Deno.test("copyTree() keeps everything from tree to archive to archive", async () => {
  const checked: MemoryArchive[] = [];
  fc.assert(
    fc.property(modelTree, version, version, (tree, first, second) => {
      const archive = archiveOf(tree, first);
      const expected = describeTree(readModel(tree));
      assert.deepEqual(describeTree(openArchive(archive)), expected);
      const again = makeArchive(second, (writer) => copyTree(openArchive(archive), writer));
      assert.deepEqual(describeTree(openArchive(again)), expected);
      assert.deepEqual(again, archiveOf(tree, second));
      if (checked.length < CHECKED_MAX) checked.push(again);
    }),
    { seed: SEED, numRuns: 200 },
  );
  await checkArchives(checked);
});

Deno.test("copyStream() of everything gives the same bytes as copyTree()", () => {
  fc.assert(
    fc.property(modelTree, version, version, (tree, first, second) => {
      const archive = archiveOf(tree, first);
      const streamed = makeArchive(second, (writer) => copyStream(decodeArchive(archive), writer));
      assert.deepEqual(streamed, archiveOf(tree, second));
    }),
    { seed: SEED, numRuns: 200 },
  );
});

/**
 * Up to four placements from up to two trees, at paths that exist in one of them or do not exist at
 * all.
 */
const placementPlan = fc.record({
  trees: fc.tuple(modelTree, modelTree),
  choices: fc.array(
    fc.record({
      tree: fc.constantFrom<0 | 1>(0, 1),
      from: fc.nat(),
      to: fc.oneof(
        fc.constant({ kind: "same" as const }),
        fc.record({ kind: fc.constant("other" as const), index: fc.nat(), tree: fc.nat(1) }),
        fc.record({
          kind: fc.constant("new" as const),
          path: fc.constantFrom("/new", "/new/a", "/a/new", "/a/b/c", "/b"),
        }),
      ),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});

interface PlannedPlacement {
  readonly tree: 0 | 1;
  readonly from: string;
  readonly to: string;
}

function plan(
  { trees, choices }: typeof placementPlan extends fc.Arbitrary<infer Plan> ? Plan : never,
): PlannedPlacement[] {
  const lists = trees.map(listNodes);
  return choices.flatMap(({ tree, from, to }) => {
    const source = lists[tree]![from % lists[tree]!.length]!;
    const others = lists[to.kind === "other" ? to.tree : 0]!;
    const target = to.kind === "same"
      ? source.path
      : to.kind === "new"
      ? to.path
      : others[to.index % others.length]!.path;
    // Only a directory can be the root.
    if (target === "/" && source.node.kind !== "directory") return [];
    return [{ tree, from: source.path, to: target === "/" ? "" : target }];
  });
}

for (const policy of ["error", "first", "last"] as const) {
  Deno.test(`compose() agrees with placing one after the other, conflict: ${policy}`, async () => {
    const checked: MemoryArchive[] = [];
    fc.assert(
      fc.property(placementPlan, version, version, (choices, first, second) => {
        const planned = plan(choices);
        if (planned.length === 0) return;
        const archives = choices.trees.map((tree) => openArchive(archiveOf(tree, first)));
        const placements = planned.map(({ tree, from, to }): Placement => ({
          tree: archives[tree]!,
          from,
          to,
        }));
        const run = () =>
          makeArchive(second, (writer) => {
            merge([compose(placements, { conflict: policy })], writer);
          });
        let expected: ModelDirectory;
        try {
          expected = placeAll(
            planned.map(({ tree, from, to }) => ({ tree: choices.trees[tree], from, to })),
            policy,
          );
        } catch (error) {
          if (!(error instanceof ModelConflict)) throw error;
          assert.throws(run, (error) => error instanceof OsError && error.code === "EEXIST");
          return;
        }
        const archive = run();
        assert.deepEqual(describeTree(openArchive(archive)), describeTree(readModel(expected)));
        if (checked.length < CHECKED_MAX && expected.children.size > 2) checked.push(archive);
      }),
      { seed: SEED, numRuns: 200 },
    );
    await checkArchives(checked);
  });
}

Deno.test("merge() loses nothing but repetitions where conflicts are renamed", () => {
  fc.assert(
    fc.property(fc.array(modelTree, { minLength: 1, maxLength: 3 }), version, (trees, version) => {
      const archive = makeArchive(version, (writer) => {
        merge(trees.map((tree) => readModel(tree)), writer, { conflict: "rename" });
      });
      const merged = openArchive(archive);
      const leaves = (lines: string[]) =>
        lines.map((line) => JSON.parse(line))
          .filter(([, kind]) => kind !== "directory")
          .map(([path, kind, metadata, content]) => {
            const name = path.split("/").at(-1).replace(/(~\d+)+$/, "");
            return JSON.stringify([name, kind, metadata, content]);
          })
          .sort();
      const wanted = trees.flatMap((tree) => leaves(describeTree(readModel(tree)))).sort();
      assert.deepEqual(leaves(describeTree(merged)), wanted);
    }),
    { seed: SEED, numRuns: 200 },
  );
});

Deno.test("copy() of all children one by one equals the whole", () => {
  fc.assert(
    fc.property(modelTree, version, (tree, version) => {
      if (tree.children.size === 0) return;
      const reader = openArchive(archiveOf(tree, version));
      const paths = [...tree.children.keys()].map((name) => ({ from: `/${name}` }));
      const copied = makeArchive(version, (writer) => copy(reader, paths, writer));
      assert.deepEqual(copied, archiveOf(tree, version));
    }),
    { seed: SEED, numRuns: 100 },
  );
});

Deno.test("diffTrees() finds nothing between a tree and its copy, and something between different trees", () => {
  fc.assert(
    fc.property(modelTree, modelTree, version, (tree, other, version) => {
      const reader = openArchive(archiveOf(tree, version));
      assert.deepEqual([...diffTrees(readModel(tree), reader)], []);
      const isSame = JSON.stringify(describeTree(readModel(other))) ===
        JSON.stringify(describeTree(reader));
      assert.equal([...diffTrees(reader, readModel(other))].length === 0, isSame);
    }),
    { seed: SEED, numRuns: 200 },
  );
});

Deno.test("TreeWriter hears of directories, their content and their end in order", () => {
  fc.assert(
    fc.property(modelTree, (tree) => {
      const writer = new ModelWriter();
      copyTree(readModel(tree), writer);
      assert.ok(writer.isFinished);
      assert.deepEqual(describeTree(readModel(writer.root!)), describeTree(readModel(tree)));
    }),
    { seed: SEED, numRuns: 100 },
  );
});
