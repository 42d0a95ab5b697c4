import "./_storage_kinds.ts";
import assert from "node:assert/strict";
import { UsageError } from "#src/errors.ts";
import type { DirectoryDescription } from "#src/pbs/storage/directory/directory_storage.ts";
import { openStorage } from "#src/pbs/storage/open_storage.ts";
import type { StorageDescription } from "#src/pbs/storage/storage.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { createMemory } from "./_memory_storage.ts";
import type { UnreliableDescription } from "./_unreliable_storage.ts";
import { type StorageFixture, testStorage } from "./storage_conformance.ts";

const MEMORY_SIZE = 16 << 20;

function directoryFixture(syncLevel: "none" | "file"): StorageFixture {
  const directory = new TempDirectory("storage");
  Deno.mkdirSync(directory.join(".chunks"));
  const owner = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
  const description: DirectoryDescription = {
    kind: "directory",
    path: directory.path,
    writing: { owner, syncLevel },
  };
  return { description, [Symbol.dispose]: () => directory[Symbol.dispose]() };
}

function memoryFixture(): StorageFixture {
  return { description: createMemory(MEMORY_SIZE), [Symbol.dispose]() {} };
}

function unreliableFixture(seed: number, inner: StorageFixture): StorageFixture {
  const description: UnreliableDescription = {
    kind: "unreliable",
    inner: inner.description,
    seed,
    failOneIn: 8,
  };
  return { description, [Symbol.dispose]: () => inner[Symbol.dispose]() };
}

testStorage("directory", () => directoryFixture("none"));
testStorage("directory, each file synced", () => directoryFixture("file"));
testStorage("memory", memoryFixture);
for (const seed of [1, 2, 3]) {
  testStorage(`unreliable memory, seed ${seed}`, () => unreliableFixture(seed, memoryFixture()));
}
testStorage("unreliable directory", () => unreliableFixture(4, directoryFixture("none")));

Deno.test("openStorage() refuses kinds that this thread does not know", () => {
  const description: StorageDescription = { kind: "tape" };
  assert.throws(() => openStorage(description), { name: UsageError.name, message: /"tape"/ });
});
