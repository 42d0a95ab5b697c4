/**
 * A model of an overlay: a plain map of byte arrays, and random changes to do to both.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  memoryDirectory,
  type MemoryEntry,
  memoryFile,
  MemoryTree,
} from "#src/tree/memory_tree.ts";
import type { OverlayHarness } from "./harness.ts";

const NAMES = ["a", "b", "c", "d/a", "d/b", "d/e/a", "f/x"];
const DIRECTORIES = ["d", "d/e", "f", "g"];
const SIZE_MAX = 5 * 8192;

/** A change, or what else happens to an overlay. */
export type Step =
  | { kind: "write"; name: string; offset: number; size: number; value: number }
  | { kind: "truncate"; name: string; size: number }
  | { kind: "zero"; name: string; offset: number; size: number }
  | { kind: "rename"; name: string; newName: string }
  | { kind: "renameDirectory"; name: string; newName: string }
  | { kind: "link"; name: string; newName: string }
  | { kind: "unlink" | "create" | "fsync" | "mkdir" | "rmdir"; name: string }
  | { kind: "remount"; settle: boolean };

const name = fc.constantFrom(...NAMES);
const directory = fc.constantFrom(...DIRECTORIES);
const offset = fc.oneof(
  fc.integer({ min: 0, max: SIZE_MAX }),
  fc.integer({ min: 0, max: 5 }).map((block) => block * 8192),
);
/** Any of them. */
export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      name,
      offset,
      size: fc.oneof(fc.integer({ min: 1, max: 20_000 }), fc.constant(8192), fc.constant(16384)),
      value: fc.integer({ min: 1, max: 255 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("truncate" as const), name, size: offset }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("zero" as const),
      name,
      offset,
      size: fc.integer({ min: 1, max: 20_000 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("rename" as const), name, newName: name }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("renameDirectory" as const),
      name: directory,
      newName: directory,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("link" as const), name, newName: name }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom("unlink" as const, "create" as const, "fsync" as const),
      name,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("mkdir" as const, "rmdir" as const),
      name: directory,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("remount" as const), settle: fc.boolean() }),
  },
);

/** A file of a lower tree. */
export const lowerFile = fc.record({
  name,
  size: fc.oneof(
    fc.constant(0),
    fc.integer({ min: 1, max: SIZE_MAX }),
    // One more name of a file.
    fc.constant(undefined),
  ),
});

interface File {
  bytes: Uint8Array;
}

/** What the tree must look like: files by path (linked names share the object), and directories. */
export class Model {
  readonly files = new Map<string, File>();
  readonly directories = new Set<string>([""]);

  parentExists(path: string): boolean {
    return this.directories.has(parentOf(path));
  }

  children(path: string): string[] {
    const prefix = path === "" ? "" : `${path}/`;
    return [...this.files.keys(), ...this.directories]
      .filter((other) => other !== "" && other.startsWith(prefix) && other !== path)
      .map((other) => other.slice(prefix.length))
      .filter((rest) => !rest.includes("/"));
  }
}

function parentOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}

function pattern(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index * 31 + seed + (index >> 8)) & 0xff);
}

/**
 * A lower tree, which the model then shows.
 *
 * @param files those without a size are more names of the first file
 */
export function buildLower(
  files: readonly { name: string; size: number | undefined }[],
  model: Model,
): MemoryTree {
  const root: Record<string, MemoryEntry> = {};
  const at = new Map<string, Record<string, MemoryEntry>>([["", root]]);
  const ensure = (path: string): Record<string, MemoryEntry> => {
    const known = at.get(path);
    if (known !== undefined) return known;
    const entries: Record<string, MemoryEntry> = {};
    at.set(path, entries);
    model.directories.add(path);
    ensure(parentOf(path))[path.slice(path.lastIndexOf("/") + 1)] = memoryDirectory(entries);
    return entries;
  };
  const made = new Map<File, MemoryEntry>();
  for (const [index, { name, size }] of files.entries()) {
    if (model.files.has(name)) continue;
    const linked = size === undefined ? model.files.values().next().value : undefined;
    const bytes = pattern(size ?? 0, index);
    const file = linked ?? { bytes: bytes.slice() };
    const entry = made.get(file) ?? memoryFile(bytes);
    made.set(file, entry);
    ensure(parentOf(name))[name.slice(name.lastIndexOf("/") + 1)] = entry;
    model.files.set(name, file);
  }
  return new MemoryTree(memoryDirectory(root));
}

function resized(bytes: Uint8Array, size: number): Uint8Array {
  const result = new Uint8Array(size);
  result.set(bytes.subarray(0, size));
  return result;
}

function expectFailure(run: () => void): void {
  assert.throws(run, { name: "OsError" });
}

/** Does the same to both. */
export function apply(step: Step, harness: OverlayHarness, model: Model): void {
  switch (step.kind) {
    case "remount":
      harness.remount(step.settle);
      return;
    case "write": {
      const file = model.files.get(step.name);
      const bytes = new Uint8Array(step.size).fill(step.value);
      if (file === undefined) return expectFailure(() => harness.write(step.name, 0, bytes));
      harness.write(step.name, step.offset, bytes);
      file.bytes = resized(file.bytes, Math.max(file.bytes.length, step.offset + step.size));
      file.bytes.set(bytes, step.offset);
      return;
    }
    case "truncate": {
      const file = model.files.get(step.name);
      if (file === undefined) return expectFailure(() => harness.truncate(step.name, step.size));
      harness.truncate(step.name, step.size);
      file.bytes = resized(file.bytes, step.size);
      return;
    }
    case "zero": {
      const file = model.files.get(step.name);
      if (file === undefined) return;
      harness.fallocate(step.name, 3, step.offset, step.size); // PUNCH_HOLE | KEEP_SIZE
      file.bytes.fill(0, step.offset, step.offset + step.size);
      return;
    }
    case "fsync":
      if (model.files.has(step.name)) harness.fsync(step.name);
      return;
    case "create":
      if (model.files.has(step.name) || !model.parentExists(step.name)) {
        return expectFailure(() => harness.create(step.name));
      }
      harness.create(step.name, pattern(9000, 99));
      model.files.set(step.name, { bytes: pattern(9000, 99) });
      return;
    case "unlink":
      if (!model.files.has(step.name)) return expectFailure(() => harness.unlink(step.name));
      harness.unlink(step.name);
      model.files.delete(step.name);
      return;
    case "link": {
      const file = model.files.get(step.name);
      if (
        file === undefined || model.files.has(step.newName) || !model.parentExists(step.newName)
      ) {
        return expectFailure(() => harness.link(step.name, step.newName));
      }
      harness.link(step.name, step.newName);
      model.files.set(step.newName, file);
      return;
    }
    case "rename": {
      const file = model.files.get(step.name);
      if (file === undefined || !model.parentExists(step.newName)) {
        return expectFailure(() => harness.rename(step.name, step.newName));
      }
      harness.rename(step.name, step.newName);
      if (model.files.get(step.newName) === file) return;
      model.files.delete(step.name);
      model.files.set(step.newName, file);
      return;
    }
    case "mkdir":
      if (model.directories.has(step.name) || !model.parentExists(step.name)) {
        return expectFailure(() => harness.mkdir(step.name));
      }
      harness.mkdir(step.name);
      model.directories.add(step.name);
      return;
    case "rmdir":
      if (!model.directories.has(step.name) || model.children(step.name).length > 0) {
        return expectFailure(() => harness.rmdir(step.name));
      }
      harness.rmdir(step.name);
      model.directories.delete(step.name);
      return;
    case "renameDirectory":
      return renameDirectory(step.name, step.newName, harness, model);
  }
}

function renameDirectory(from: string, to: string, harness: OverlayHarness, model: Model): void {
  // A directory below itself is refused by the kernel, which the harness does not have.
  if (to.startsWith(`${from}/`)) return;
  const isPossible = model.directories.has(from) && model.parentExists(to) &&
    (from === to || !model.directories.has(to) || model.children(to).length === 0);
  if (!isPossible) return expectFailure(() => harness.rename(from, to));
  harness.rename(from, to);
  if (from === to) return;
  for (const path of [...model.directories]) {
    if (path !== from && !path.startsWith(`${from}/`)) continue;
    model.directories.delete(path);
    model.directories.add(to + path.slice(from.length));
  }
  for (const [path, file] of [...model.files]) {
    if (!path.startsWith(`${from}/`)) continue;
    model.files.delete(path);
    model.files.set(to + path.slice(from.length), file);
  }
}

/** Checks that an overlay shows what the model has. */
export function compare(harness: OverlayHarness, model: Model): void {
  for (const path of model.directories) {
    assert.deepEqual(harness.list(path), model.children(path).sort(), `entries of "${path}"`);
  }
  for (const [path, file] of model.files) {
    const { size, nlink } = harness.stat(path);
    assert.equal(size, file.bytes.length, `size of ${path}`);
    const names = [...model.files.values()].filter((other) => other === file);
    assert.equal(nlink, names.length, `number of names of ${path}`);
    const bytes = harness.read(path);
    const difference = bytes.findIndex((byte, index) => byte !== file.bytes[index]);
    assert.equal(bytes.length, file.bytes.length, `length read of ${path}`);
    assert.equal(difference, -1, `first difference in ${path}`);
  }
}

/** Removes everything from both. */
export function removeAll(harness: OverlayHarness, model: Model): void {
  for (const path of model.files.keys()) harness.unlink(path);
  model.files.clear();
  const inner = [...model.directories].filter((path) => path !== "");
  for (const path of inner.toSorted((one, other) => other.length - one.length)) {
    harness.rmdir(path);
    model.directories.delete(path);
  }
}
