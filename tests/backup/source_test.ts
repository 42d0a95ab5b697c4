import assert from "node:assert/strict";
import { backup, type BackupSpec, openArchive, planBackup } from "#src/backup/mod.ts";
import { pxarTree } from "#src/pxar/pxar_tree.ts";
import { makeTreeSource } from "#src/transfer/mod.ts";
import { memoryDirectory, memoryFile, memorySymlink, MemoryTree } from "#src/tree/mod.ts";
import { describeTree } from "#tests/transfer/_model.ts";
import { MemoryStore } from "./_memory_store.ts";

const TREE = new MemoryTree(memoryDirectory({
  "a.txt": memoryFile("a"),
  "large": memoryFile(new Uint8Array(300_000).map((_, at) => at % 253)),
  "left.tmp": memoryFile("x"),
  "sub": memoryDirectory({ link: memorySymlink("../a.txt") }),
}));

const SPEC: BackupSpec = {
  kind: "pxar",
  name: "root.pxar",
  path: "/",
  makeSource: makeTreeSource(TREE),
};

Deno.test("backup() takes directories that are not of this computer, in every mode", () => {
  for (const mode of ["legacy", "data", "metadata"] as const) {
    const store = new MemoryStore();
    const reports = [1, 2].map(() =>
      backup(store.start(), [SPEC], { mode, build: { exclude: ["*.tmp"] } })
    );
    assert.ok(reports.every(({ isPartial }) => !isPartial));
    const reused = reports.map(({ archives }) => archives[0]!.reuse?.reusedFileCount);
    assert.deepEqual(reused, mode === "metadata" ? [undefined, 2] : [undefined, undefined]);
    for (const snapshot of store.snapshots) {
      using archive = openArchive(snapshot, "root.pxar");
      const lines = describeTree(pxarTree(archive.accessor));
      assert.deepEqual(
        lines.filter((line) => !line.includes(".pxarexclude-cli")),
        describeTree(TREE).filter((line) => !line.includes("left.tmp")),
      );
    }
  }
});

Deno.test("planBackup() counts what a source has", () => {
  const { archives } = planBackup([SPEC]);
  assert.equal(archives[0]!.size, 300_002);
});

Deno.test("backup() gives up when the source has no such directory", () => {
  const store = new MemoryStore();
  const writer = store.start();
  assert.throws(() => backup(writer, [{ ...SPEC, path: "/nothing" }]), { code: "ENOENT" });
  assert.ok(writer.isAborted);
});
