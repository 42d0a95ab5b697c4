import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { CheckedProvider } from "#src/backup/client/checked_provider.ts";
import type { ExpectedWalk } from "#src/backup/client/client_calls.ts";
import { LookAhead } from "#src/backup/client/look_ahead.ts";
import type { ClientEntry, ClientPage, ClientProvider } from "#src/backup/client/provider.ts";
import { memoryEntry } from "./_memory_client.ts";

const walk: ExpectedWalk = {
  root: "/r",
  exclude: [],
  skipsLostAndFound: false,
  allFileSystems: false,
  readsSinceSeconds: undefined,
};

/** A client whose answers come together: after one round for all that was asked by then. */
class RoundClient implements ClientProvider {
  readonly asked: string[] = [];
  roundCount = 0;
  #waiting: (() => void)[] = [];
  readonly #directories: ReadonlyMap<string, readonly ClientEntry[]>;

  constructor(directories: ReadonlyMap<string, readonly ClientEntry[]>) {
    this.#directories = directories;
  }

  async stat(): Promise<ClientEntry> {
    await this.#way("stat");
    return memoryEntry("r", { isDirectory: true });
  }

  async *readDirectory(path: string): AsyncGenerator<ClientPage> {
    await this.#way(`list ${path}`);
    const self = { entry: memoryEntry("r", { isDirectory: true }), isPseudo: false };
    yield { entries: this.#directories.get(path)!, failures: [], self };
  }

  async readFile(path: string) {
    await this.#way(`read ${path}`);
    const bytes = new TextEncoder().encode(path.endsWith(".pxarexclude") ? "left\n" : path);
    return {
      entry: undefined,
      content: (async function* () {
        yield bytes;
      })(),
    };
  }

  close(): void {}

  /** Lets time pass until `work` is done: an answer is under way only when nothing else happens. */
  async run<Result>(work: Promise<Result>): Promise<Result> {
    let isDone = false;
    const end = work.finally(() => isDone = true);
    end.catch(() => {});
    while (!isDone) {
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      if (isDone || this.#waiting.length === 0) continue;
      this.roundCount++;
      for (const answer of this.#waiting.splice(0)) answer();
    }
    return await end;
  }

  #way(request: string): Promise<void> {
    this.asked.push(request);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** Goes through everything in the order of a walk. @returns paths of the files that were read */
async function walkAll(
  client: RoundClient,
  ahead: LookAhead,
  directories: ReadonlyMap<string, readonly ClientEntry[]>,
  isRead: (path: string) => boolean,
  path = "/r",
): Promise<string[]> {
  const read: string[] = [];
  const known = new Set<string>();
  await client.run(ahead.listing(path));
  const sorted = [...directories.get(path)!].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, metadata } of sorted) {
    const child = `${path}/${name}`;
    if ((metadata.mode & 0o170000) === 0o040000) {
      read.push(...await walkAll(client, ahead, directories, isRead, child));
    } else if (isRead(child)) {
      if (!known.has(child)) {
        const parts = await client.run(ahead.contents(child, 0, 1 << 20));
        for (const part of parts) known.add(part.path);
        assert.equal(parts[0]!.path, child);
      }
      read.push(child);
    }
  }
  ahead.leave(path);
  return read;
}

function manyFiles(directoryCount: number, fileCount: number): Map<string, ClientEntry[]> {
  const directories = new Map<string, ClientEntry[]>([["/r", []]]);
  for (let index = 0; index < directoryCount; index++) {
    const name = `d${String(index).padStart(4, "0")}`;
    directories.get("/r")!.push(memoryEntry(name, { isDirectory: true }));
    const files = Array.from({ length: fileCount }, (_, file) => {
      return memoryEntry(`f${String(file).padStart(3, "0")}`, { sizeBytes: 4096 });
    });
    directories.set(`/r/${name}`, files);
  }
  return directories;
}

async function rounds(
  directories: Map<string, ClientEntry[]>,
  expected: ExpectedWalk,
  isRead: (path: string) => boolean,
) {
  const client = new RoundClient(directories);
  const provider = new CheckedProvider(client, 1 << 20, 60_000);
  try {
    const ahead = new LookAhead(provider, expected);
    const read = await walkAll(client, ahead, directories, isRead);
    return { client, read, roundCount: client.roundCount };
  } finally {
    await provider.close(new Error("over"));
  }
}

Deno.test("Listings and contents of many small directories cost few rounds on the way", async () => {
  const directories = manyFiles(300, 10);
  const { client, read, roundCount } = await rounds(directories, walk, () => true);
  assert.equal(read.length, 3000);
  // 301 listings by 64, 3000 files by 512, and the depth of the tree.
  assert.ok(roundCount <= 20, `${roundCount} rounds`);
  assert.equal(client.asked.length, new Set(client.asked).size, "nothing was asked for twice");
});

Deno.test("Contents that are not expected to be read do not travel, new files do, ahead", async () => {
  const directories = manyFiles(20, 10);
  directories.set("/r/d0003", [
    ...directories.get("/r/d0003")!,
    memoryEntry("new", { sizeBytes: 10, seconds: 5000 }),
  ]);
  const unchanged = { ...walk, readsSinceSeconds: 4000 };
  const { client, roundCount } = await rounds(directories, unchanged, (path) => /new$/.test(path));
  assert.ok(roundCount <= 4, `${roundCount} rounds`);
  assert.deepEqual(client.asked.filter((what) => what.startsWith("read")), ["read /r/d0003/new"]);
});

Deno.test("Files that are read although nobody expected it are read ahead from the third on", async () => {
  const directories = manyFiles(1, 200);
  const unchanged = { ...walk, readsSinceSeconds: 4000 };
  const { roundCount } = await rounds(directories, unchanged, () => true);
  assert.ok(roundCount <= 7, `${roundCount} rounds`);
});

Deno.test("What patterns leave out is never asked for, those of files included", async () => {
  const directories = new Map<string, ClientEntry[]>([
    ["/r", [
      memoryEntry("a", { isDirectory: true }),
      memoryEntry("tmp", { isDirectory: true }),
      memoryEntry("x.tmp", { sizeBytes: 3 }),
    ]],
    ["/r/a", [
      memoryEntry(".pxarexclude", { sizeBytes: 5 }),
      memoryEntry("left", { isDirectory: true }),
      memoryEntry("kept", { sizeBytes: 3 }),
    ]],
  ]);
  const client = new RoundClient(directories);
  const provider = new CheckedProvider(client, 1 << 20, 60_000);
  const ahead = new LookAhead(provider, { ...walk, exclude: ["tmp", "*.tmp"] });
  await client.run(ahead.listing("/r"));
  await client.run(ahead.listing("/r/a"));
  await client.run(ahead.contents("/r/a/kept", 0, 1000));
  assert.deepEqual(client.asked, [
    "list /r",
    "list /r/a",
    "read /r/a/.pxarexclude",
    "read /r/a/kept",
  ]);
  ahead.end();
  await provider.close(new Error("over"));
});
