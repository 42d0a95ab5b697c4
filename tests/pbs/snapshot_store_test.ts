import "./storage/_storage_kinds.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { openStorage } from "#src/pbs/storage/open_storage.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { createMemory } from "./storage/_memory_storage.ts";
import { testSnapshotStore } from "./snapshot_store_conformance.ts";

const MEMORY_SIZE = 32 << 20;

testSnapshotStore("directory", () => {
  const directory = new TempDirectory("snapshots");
  Deno.mkdirSync(directory.join("store/.chunks"), { recursive: true });
  return {
    open: (access) => Datastore.open(directory.join("store"), { access, lockTimeoutMs: 60 }),
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
});

testSnapshotStore("memory", () => {
  // Its locks hold between those who use the same object.
  const storage = openStorage(createMemory(MEMORY_SIZE));
  return {
    open: (access) => Datastore.over(storage, access),
    [Symbol.dispose]() {},
  };
});
