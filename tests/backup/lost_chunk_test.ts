import assert from "node:assert/strict";
import { backup } from "#src/backup/backup.ts";
import { parseBackupSpec } from "#src/backup/backup_spec.ts";
import { openArchive } from "#src/backup/archive_access.ts";
import { restoreArchive } from "#src/backup/restore.ts";
import { Failure } from "#src/errors.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { ROOT_NAMESPACE, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import { CATALOG_NAME } from "#src/pbs/format/manifest.ts";
import { DescriptorTarget, OVERWRITE_ALL } from "#src/pxar/mod.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const CHUNK_SIZE = 64 << 10;

/**
 * Files by path: some of many chunks, some of which there are many in a chunk, in directories
 * within each other.
 */
function makeTree(path: string): Map<string, string> {
  const random = new Random(25);
  const files = new Map<string, string>();
  const add = (name: string, size: number) => {
    const content = random.bytes(size);
    Deno.mkdirSync(`${path}${name.slice(0, name.lastIndexOf("/"))}`, { recursive: true });
    Deno.writeFileSync(`${path}${name}`, content);
    files.set(name, content.toHex());
  };
  for (let number = 0; number < 60; number++) add(`/a/small/${number}`, 3000);
  for (let number = 0; number < 5; number++) add(`/a/large/${number}`, 150_000);
  for (let number = 0; number < 30; number++) add(`/b/${number}/x/file`, 5000 + 700 * number);
  for (let number = 0; number < 4; number++) add(`/c${number}`, 90_000);
  return files;
}

class Fixture implements Disposable {
  readonly #home = new TempDirectory("lost");
  readonly store: Datastore;
  readonly snapshot: SnapshotId;
  readonly files: Map<string, string>;

  constructor(mode: "legacy" | "data", complete?: (tree: string) => void) {
    const tree = this.#home.join("tree");
    this.files = makeTree(tree);
    complete?.(tree);
    Deno.mkdirSync(this.#home.join("store/.chunks"), { recursive: true });
    this.store = Datastore.open(this.#home.join("store"), { access: "write", syncLevel: "none" });
    const group = { ns: ROOT_NAMESPACE, type: "host", id: "a" } as const;
    const writer = this.store.startSnapshot({ group, time: 1_700_000_000 });
    backup(writer, [parseBackupSpec(`root.pxar:${tree}`)], { mode, chunkSize: CHUNK_SIZE });
    this.snapshot = writer.id;
  }

  /** Chunks of an index. */
  chunksOf(name: string): string[] {
    const index = this.store.openSnapshot(this.snapshot).dynamicIndex(name);
    return Array.from({ length: index.count }, (_, position) => {
      const digest = index.digestOf(position);
      return `${this.store.path}/.chunks/${digest.slice(0, 4)}/${digest}`;
    });
  }

  /** What random access gives. */
  readable(): string[] {
    const reader = this.store.openSnapshot(this.snapshot);
    try {
      using archive = openArchive(reader, "root.pxar");
      return [...this.files].filter(([path, content]) => {
        try {
          const node = archive.accessor.lookup(path)!;
          const buffer = allocateNativeBuffer(content.length / 2);
          archive.accessor.readContent(node, 0, buffer, 0, content.length / 2);
          return buffer.bytes.toHex() === content;
        } catch (error) {
          if (!(error instanceof Failure)) throw error;
          return false;
        }
      }).map(([path]) => path);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return [];
    } finally {
      reader.close();
    }
  }

  /** What is restored whole, and what is told of. */
  restore(): { restored: string[]; named: Set<string>; isPartial: boolean } {
    const target = this.#home.join("restored");
    const reader = this.store.openSnapshot(this.snapshot);
    const named = new Set<string>();
    Deno.mkdirSync(target);
    try {
      const { isPartial } = restoreArchive(reader, "root.pxar", DescriptorTarget.open(target), {
        onProblem: ({ path, severity }) => {
          if (severity === "error") named.add(path);
        },
      });
      const restored = [...this.files].filter(([path, content]) => {
        try {
          return Deno.readFileSync(`${target}${path}`).toHex() === content;
        } catch {
          return false;
        }
      }).map(([path]) => path);
      return { restored, named, isPartial };
    } finally {
      reader.close();
      Deno.removeSync(target, { recursive: true });
    }
  }

  /** Restores over what is in a directory. */
  restoreOver(target: string): void {
    const reader = this.store.openSnapshot(this.snapshot);
    const overwrite = { ...OVERWRITE_ALL, directories: true };
    try {
      restoreArchive(reader, "root.pxar", DescriptorTarget.open(target, { overwrite }));
    } finally {
      reader.close();
    }
  }

  [Symbol.dispose](): void {
    this.store.close();
    this.#home[Symbol.dispose]();
  }
}

/** Runs with each of the chunks missing in turn. */
function losingEach(chunks: readonly string[], run: () => void): void {
  for (const chunk of new Set(chunks)) {
    Deno.renameSync(chunk, `${chunk}.lost`);
    run();
    Deno.renameSync(`${chunk}.lost`, chunk);
  }
}

Deno.test("restoreArchive gives all that one lost chunk leaves, and names every file that is missing", () => {
  using fixture = new Fixture("legacy");
  const chunks = fixture.chunksOf("root.pxar.didx");
  assert.ok(chunks.length > 10);
  losingEach(chunks, () => {
    const { restored, named, isPartial } = fixture.restore();
    assert.ok(isPartial);
    const missing = [...fixture.files.keys()].filter((path) => !restored.includes(path));
    assert.deepEqual(missing.filter((path) => !named.has(path)), []);
    // Tables of directories may be gone too: what they would say is found out.
    assert.deepEqual(fixture.readable(), restored);
    assert.ok(restored.length >= fixture.files.size / 4, `${restored.length}`);
  });
  // Without a catalog there may be no names, but as many files.
  const [catalog] = fixture.chunksOf(CATALOG_NAME);
  Deno.removeSync(catalog!);
  assert.ok(!fixture.restore().isPartial);
  losingEach(chunks.slice(0, 6), () => {
    const { restored, named, isPartial } = fixture.restore();
    assert.ok(isPartial && named.size > 0);
    assert.deepEqual(fixture.readable().filter((path) => !restored.includes(path)), []);
    assert.ok(restored.length > 0);
  });
});

Deno.test("restoreArchive gives all that a lost chunk of a split archive leaves", () => {
  using fixture = new Fixture("data");
  const payload = fixture.chunksOf("root.ppxar.didx");
  assert.ok(payload.length > 10);
  losingEach(payload, () => {
    const { restored, named, isPartial } = fixture.restore();
    assert.ok(isPartial);
    const missing = [...fixture.files.keys()].filter((path) => !restored.includes(path));
    assert.deepEqual(missing.filter((path) => !named.has(path)), []);
    assert.deepEqual(fixture.readable().filter((path) => !restored.includes(path)), []);
    assert.ok(restored.length > fixture.files.size / 4);
  });
  losingEach(fixture.chunksOf("root.mpxar.didx"), () => {
    const { restored, named, isPartial } = fixture.restore();
    assert.ok(isPartial && named.size > 0);
    assert.deepEqual(fixture.readable().filter((path) => !restored.includes(path)), []);
  });
});

/** Second names of the small files. */
function linkSmall(tree: string): void {
  Deno.mkdirSync(`${tree}/z`);
  for (let number = 0; number < 60; number++) {
    Deno.linkSync(`${tree}/a/small/${number}`, `${tree}/z/${number}`);
  }
}

Deno.test("restoreArchive links no second name to what stood in the place of a lost file", () => {
  using fixture = new Fixture("legacy", linkSmall);
  const foreign = "of somebody else";
  let lostCount = 0;
  losingEach(fixture.chunksOf("root.pxar.didx"), () => {
    using scratch = new TempDirectory("foreign");
    Deno.mkdirSync(scratch.join("a/small"), { recursive: true });
    for (let number = 0; number < 60; number++) {
      Deno.writeTextFileSync(scratch.join(`a/small/${number}`), foreign);
    }
    fixture.restoreOver(scratch.path);
    for (let number = 0; number < 60; number++) {
      const first = scratch.join(`a/small/${number}`);
      if (Deno.readTextFileSync(first) !== foreign) continue;
      lostCount++;
      assert.equal(Deno.statSync(first).nlink, 1, `${number}`);
    }
  });
  assert.ok(lostCount > 0);
});

Deno.test("restoreArchive links second names to all files that are there of a directory with damage", () => {
  using fixture = new Fixture("legacy", linkSmall);
  // Without a catalog nobody knows the names of what is lost.
  Deno.removeSync(fixture.chunksOf(CATALOG_NAME)[0]!);
  let lostCount = 0;
  losingEach(fixture.chunksOf("root.pxar.didx"), () => {
    using scratch = new TempDirectory("links");
    fixture.restoreOver(scratch.path);
    const isThere = (name: string) => {
      try {
        return Deno.statSync(scratch.join(name)).size === 3000;
      } catch {
        return false;
      }
    };
    const numbers = Array.from({ length: 60 }, (_, number) => number);
    const whole = numbers.filter((number) => isThere(`a/small/${number}`));
    if (whole.length === 60) return;
    lostCount++;
    assert.deepEqual(whole.filter((number) => !isThere(`z/${number}`)), []);
  });
  assert.ok(lostCount > 0);
});
