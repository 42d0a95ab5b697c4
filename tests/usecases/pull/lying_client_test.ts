import assert from "node:assert/strict";
import { CheckedProvider } from "#src/backup/client/checked_provider.ts";
import { ClientListing } from "#src/backup/client/client_listing.ts";
import { HostAccessor } from "#src/backup/client/host_accessor.ts";
import { LookAhead } from "#src/backup/client/look_ahead.ts";
import { LocalClient } from "#src/backup/client/local_client.ts";
import type {
  ClientEntry,
  ClientFile,
  ClientPage,
  ClientProvider,
  ContentPiece,
} from "#src/backup/client/provider.ts";
import { EntryType } from "#src/bytes/file_type.ts";
import { Failure } from "#src/errors.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { BackupStore } from "#src/usecases/pull/backup_store.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { MemoryDisk } from "#tests/support/memory_disk.ts";
import { Random } from "#tests/support/property_random.ts";

const SEED = 20_261_130;
/** Backups, each of which starts a thread. */
const BACKUPS = 8;
/** Walks without one. */
const WALKS = 300;

/** What a client may say of an entry that is not true. */
const ENTRY_LIES: readonly ((entry: ClientEntry) => unknown)[] = [
  (entry) => ({ ...entry, name: ".." }),
  (entry) => ({ ...entry, name: "../../etc/passwd" }),
  (entry) => ({ ...entry, name: "" }),
  (entry) => ({ ...entry, name: "nul\0" }),
  (entry) => ({ ...entry, name: "n".repeat(70_000) }),
  (entry) => ({ ...entry, name: undefined }),
  (entry) => ({ ...entry, sizeBytes: -1 }),
  (entry) => ({ ...entry, sizeBytes: NaN }),
  (entry) => ({ ...entry, sizeBytes: 2 ** 60 }),
  (entry) => ({ ...entry, metadata: { ...entry.metadata, mode: 0 } }),
  (entry) => ({ ...entry, metadata: { ...entry.metadata, uid: 2 ** 40 } }),
  (entry) => ({
    ...entry,
    metadata: { ...entry.metadata, mtime: { seconds: 0, nanoseconds: -5 } },
  }),
  (entry) => ({ ...entry, metadata: undefined }),
  (entry) => ({ ...entry, target: "/etc/shadow" }),
  (entry) => ({
    ...entry,
    metadata: {
      ...entry.metadata,
      xattrs: [{ name: "security.selinux", value: new Uint8Array(3) }],
    },
  }),
  (entry) => ({ ...entry, openErrno: 1 << 20 }),
  () => undefined,
  () => 7,
];

/** What it may do with a listing. */
const LISTING_LIES: readonly ((pages: AsyncIterable<ClientPage>) => unknown)[] = [
  async function* () {
    for (;;) yield { entries: [], failures: [] };
  },
  async function* () {
    for (let count = 0;; count++) {
      const failures = Array.from({ length: 1000 }, (_, at) => {
        return { name: `${count}-${at}`, errno: 13 };
      });
      yield { entries: [], failures };
    }
  },
  async function* (pages) {
    for await (const page of pages) yield { ...page, failures: [{ name: "a", errno: -1 }] };
  },
  async function* () {
    yield "garbage";
  },
  async function* (pages) {
    await new Promise(() => {});
    yield* pages;
  },
  async function* (pages) {
    yield* pages;
    throw new TypeError("of a transport");
  },
];

/** What it may send for a file. */
const CONTENT_LIES: readonly ((content: AsyncIterable<ContentPiece>) => unknown)[] = [
  () => [],
  async function* () {
    yield new Uint8Array(3);
  },
  async function* () {
    for (;;) yield new Uint8Array(1 << 20);
  },
  async function* () {
    for (;;) yield new Uint8Array(0);
  },
  async function* () {
    yield { holeBytes: 2 ** 52 };
  },
  async function* () {
    yield { holeBytes: -4 };
  },
  async function* () {
    yield "text";
  },
  async function* () {
    yield new Uint8Array(2);
    await new Promise(() => {});
  },
  async function* () {
    yield new Uint8Array(2);
    throw "a string";
  },
];

/** A client of this host that lies once, in a place that the numbers choose. */
class LyingClient implements ClientProvider {
  readonly #true = new LocalClient(new HostAccessor());
  readonly #random: Random;
  #truthsLeft: number;
  /** What the lie was. */
  lie = "";

  constructor(random: Random) {
    this.#random = random;
    this.#truthsLeft = random.between(0, 8);
  }

  async stat(path: string): Promise<ClientEntry> {
    const entry = await this.#true.stat(path);
    return this.#isTime() ? this.#choose("stat", ENTRY_LIES)(entry) as ClientEntry : entry;
  }

  readDirectory(path: string): AsyncIterable<ClientPage> {
    const pages = this.#true.readDirectory(path);
    if (!this.#isTime()) return pages;
    if (this.#random.oneIn(3)) {
      return this.#choose("listing", LISTING_LIES)(pages) as AsyncIterable<ClientPage>;
    }
    const lie = this.#choose("entry", ENTRY_LIES);
    return (async function* () {
      for await (const page of pages) {
        yield { ...page, entries: page.entries.map((entry) => lie(entry) as ClientEntry) };
      }
    })();
  }

  async readFile(
    path: string,
    range: Parameters<ClientProvider["readFile"]>[1],
  ): Promise<ClientFile> {
    const { entry, content } = await this.#true.readFile(path, range);
    if (!this.#isTime()) return { entry, content };
    if (this.#random.oneIn(3)) {
      return { entry: this.#choose("opened", ENTRY_LIES)(entry!) as ClientEntry, content };
    }
    const said = this.#choose("content", CONTENT_LIES)(content);
    return { entry, content: said as AsyncIterable<ContentPiece> };
  }

  close(): void {
    this.#true.close();
  }

  #isTime(): boolean {
    return this.#truthsLeft-- === 0;
  }

  #choose<Lie>(place: string, lies: readonly Lie[]): Lie {
    const index = this.#random.between(0, lies.length - 1);
    this.lie = `${place} ${index}`;
    return lies[index]!;
  }
}

const EVERYTHING = {
  exclude: [],
  skipsLostAndFound: false,
  allFileSystems: true,
  readsSinceSeconds: undefined,
};

function makeTree(path: string): void {
  Deno.mkdirSync(`${path}/a/b`, { recursive: true });
  for (const name of ["one", "a/two", "a/b/three", "z"]) {
    Deno.writeTextFileSync(`${path}/${name}`, `content of ${name}`);
  }
  Deno.symlinkSync("one", `${path}/link`);
}

/** Asks for all that a walk would, and reads it. */
async function readAll(ahead: LookAhead, client: ClientProvider, path: string): Promise<void> {
  const { records } = await ahead.listing(path);
  const listing = new ClientListing(records.map((bytes) => new Uint8Array(bytes)), {
    errno: undefined,
    isPseudo: undefined,
  });
  const names: [string, number][] = [];
  listing.forEach((name, type) => names.push([name, type]));
  for (const [name, type] of names) {
    const entry = listing.find(name);
    if (typeof entry === "number") continue;
    if (type === EntryType.DIRECTORY) await readAll(ahead, client, `${path}/${name}`);
    if (type !== EntryType.FILE) continue;
    let bytes = 0;
    for (let isEnd = false; !isEnd && bytes <= entry.sizeBytes;) {
      const [part] = await ahead.contents(`${path}/${name}`, bytes, 1 << 16);
      const { pieces } = part!;
      bytes += pieces.reduce(
        (sum, piece) => sum + (piece instanceof Uint8Array ? piece.length : piece.holeBytes),
        0,
      );
      isEnd = part!.isEnd || part!.errno !== undefined;
    }
    ahead.close(`${path}/${name}`);
  }
  ahead.leave(path);
}

Deno.test("Whatever a client says, what is read ahead ends, with a reason where it cannot be", async () => {
  using place = new TempDirectory("lies");
  makeTree(place.path);
  const random = new Random(SEED);
  const codes = new Set<string>();
  for (let run = 0; run < WALKS; run++) {
    const client = new LyingClient(random);
    const provider = new CheckedProvider(client, 5000, 80);
    const ahead = new LookAhead(provider, { ...EVERYTHING, root: place.path });
    try {
      await readAll(ahead, client, place.path);
    } catch (error) {
      assert.ok(error instanceof Failure, `${run}, ${client.lie}: ${error}`);
      codes.add((error as { code?: string }).code ?? error.name);
    } finally {
      ahead.end();
      await provider.close(new Error("over"));
    }
  }
  for (const code of ["bad-client", "client-failed", "timeout", "limit"]) {
    assert.ok(codes.has(code), `${code} in ${[...codes].join()}`);
  }
});

Deno.test("A client that lies ends its own backup with a reason, or makes a file as it said", async () => {
  await using disk = await MemoryDisk.create();
  const tree = disk.join("tree");
  makeTree(tree);
  const path = disk.join("store");
  Datastore.create(path);
  using store = await BackupStore.open(path);
  const random = new Random(SEED);
  const outcomes = new Map<string, number>();
  for (let run = 0; run < BACKUPS; run++) {
    const client = new LyingClient(random);
    const group = { id: `c${run}` };
    let outcome = "made";
    try {
      const result = await store.pull(client, {
        ...group,
        roots: { "root.pxar": tree },
        workers: 0,
        silenceMaxMs: 300,
        build: { entriesMax: 5000 },
      });
      assert.ok(result.fileCount <= 5, client.lie);
    } catch (error) {
      assert.ok(error instanceof Failure, `${client.lie}: ${error}`);
      assert.equal(store.previous(group), undefined, "nothing is left of it");
      outcome = String((error as { code?: string }).code);
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  for (const outcome of ["made", "bad-client"]) {
    assert.ok(outcomes.has(outcome), outcome);
  }
  const result = await store.pull(new LocalClient(new HostAccessor()), {
    id: "honest",
    roots: { "root.pxar": tree },
  });
  assert.equal(result.fileCount, 4);
});
