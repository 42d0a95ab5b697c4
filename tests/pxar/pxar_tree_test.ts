import assert from "node:assert/strict";
import { memoryEntry } from "#src/pxar/new_entry.ts";
import { copyTree, type TreeWriter } from "#src/transfer/mod.ts";
import type { FileNode } from "#src/tree/mod.ts";
import { type ArchiveVersion, makeArchive, openArchive } from "#tests/transfer/_archives.ts";
import { metadata } from "#tests/transfer/_model.ts";

const FILE_COUNT = 12_000;
const FILE = metadata("file", { mode: 0o644 });
const DIRECTORY = metadata("directory");

function fileName(index: number): string {
  return `file-${String(index).padStart(5, "0")}`;
}

/** Many files, then further names of the first, of a late and of the last one. */
function writeManyFiles(tree: TreeWriter): void {
  const writer = tree.startRoot(DIRECTORY, undefined);
  writer.add("files", { kind: "directory", metadata: DIRECTORY });
  const references: number[] = [];
  for (let i = 0; i < FILE_COUNT; i++) {
    references.push(writer.add(fileName(i), memoryEntry(FILE, new TextEncoder().encode(`${i}`))));
  }
  writer.finishDirectory();
  writer.add("links", { kind: "directory", metadata: DIRECTORY });
  for (const index of [0, FILE_COUNT - 500, FILE_COUNT - 1]) {
    const targetPath = `files/${fileName(index)}`;
    writer.add(fileName(index), { kind: "hardlink", targetPath, target: references[index]! });
  }
  writer.finishDirectory();
  writer.finish();
}

for (const version of [1, 2] satisfies ArchiveVersion[]) {
  Deno.test(`openPxarTree() finds the links among many files again, version ${version}`, () => {
    const archive = makeArchive(version, writeManyFiles);
    const again = makeArchive(version, (writer) => copyTree(openArchive(archive), writer));
    assert.deepEqual(again, archive);
  });
}

Deno.test("openPxarTree() learns which files have one name when it is asked about many", () => {
  const reader = openArchive(makeArchive(1, writeManyFiles));
  const directory = reader.root.lookup("files");
  assert.equal(directory?.kind, "directory");
  const counts = Array.from(directory.entries(), ({ node }) => (node as FileNode).linkCount);
  assert.equal(counts[1], undefined);
  assert.equal(counts.at(-2), 1);
  assert.equal(counts.at(-1), undefined);
});
