import assert from "node:assert/strict";
import { HostAccessor } from "#src/backup/client/host_accessor.ts";
import { LocalClient } from "#src/backup/client/local_client.ts";
import { readFileRange } from "#src/backup/file_range.ts";
import type { ClientEntry, ClientProvider } from "#src/backup/client/provider.ts";
import { OsError } from "#src/errors.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { BackupStore, type PullOptions, type PullResult } from "#src/usecases/pull/backup_store.ts";
import { MemoryDisk } from "#tests/support/memory_disk.ts";

const EACCES = 13;

/** A client of this host that is not quite what it was. */
function client(changes: Partial<ClientProvider> = {}): ClientProvider {
  const local = new LocalClient(new HostAccessor());
  return {
    capabilities: () => local.capabilities!(),
    stat: (path) => local.stat(path),
    readDirectory: (path) => local.readDirectory(path),
    readFile: (path, range) => local.readFile(path, range),
    close: () => local.close(),
    ...changes,
  };
}

/** Listings with one entry as `change` makes it. */
function listedAs(name: string, change: (entry: ClientEntry) => ClientEntry): ClientProvider {
  const local = client();
  return client({
    async *readDirectory(path) {
      for await (const page of local.readDirectory(path)) {
        const entries = page.entries.map((entry) => entry.name === name ? change(entry) : entry);
        yield { ...page, entries };
      }
    },
  });
}

async function makeScene() {
  const disk = await MemoryDisk.create();
  const tree = disk.join("tree");
  Deno.mkdirSync(`${tree}/below`, { recursive: true });
  for (const name of ["a", "below/b", "c"]) Deno.writeTextFileSync(`${tree}/${name}`, name);
  Deno.symlinkSync("tree", disk.join("link"));
  const path = disk.join("store");
  Datastore.create(path);
  const store = await BackupStore.open(path);
  const problems: string[] = [];
  const pull = (provider: ClientProvider, options: Partial<PullOptions> = {}) =>
    store.pull(provider, {
      id: "x",
      roots: { "root.pxar": tree },
      workers: 0,
      onProblem: ({ path, code }) => problems.push(`${path}: ${code}`),
      ...options,
    });
  return { disk, tree, store, problems, pull };
}

function contentOf(store: BackupStore, { details }: PullResult, path: string): string {
  const snapshots = store.snapshots();
  const reader = snapshots.openSnapshot(details.id);
  try {
    const pieces = [...readFileRange(reader, { archive: "root.pxar", path })];
    return pieces.map((piece) => new TextDecoder().decode(piece)).join("");
  } finally {
    reader.close();
    snapshots.close();
  }
}

Deno.test("What is wrong with a file of a client costs that file, and is reported", async () => {
  const { disk, store, problems, pull } = await makeScene();
  await using _ = disk;
  const denied = await pull(client({
    readFile: (path, range) =>
      path.endsWith("/a")
        ? Promise.reject(new OsError(EACCES, "open", path))
        : client().readFile(path, range),
  }));
  assert.deepEqual([denied.fileCount, denied.isPartial], [2, true]);
  assert.deepEqual(problems.splice(0), ["root.pxar:/a: unreadable"]);

  const unopened = await pull(listedAs("b", (entry) => ({ ...entry, openErrno: EACCES })));
  assert.equal(unopened.fileCount, 2);
  assert.deepEqual(problems.splice(0), ["root.pxar:/below/b: unreadable"]);

  // Another file has taken the name since the listing: it is archived whole, as it is.
  const replaced = await pull(listedAs("c", (entry) => ({ ...entry, sizeBytes: 500, ino: 7 })));
  assert.equal(contentOf(store, replaced, "/c"), "c");
  assert.deepEqual(problems.splice(0), []);

  // Whoever cannot say what was opened: the listing counts.
  const grown = await pull(client({
    async readFile(path, range) {
      const { content } = await client().readFile(path, range);
      return {
        entry: undefined,
        content: (async function* () {
          yield* content;
          yield new TextEncoder().encode(" and more");
        })(),
      };
    },
  }));
  assert.equal(contentOf(store, grown, "/below/b"), "below/b");
  assert.deepEqual(problems.splice(0).map((text) => text.split(": ")[1]), [
    "grown",
    "grown",
    "grown",
  ]);
});

Deno.test("A client that vanishes, hangs or is told to stop leaves no snapshot", async () => {
  const { disk, tree, store, pull } = await makeScene();
  await using _ = disk;
  const lost = client({
    readFile: () => Promise.reject(new Error("connection reset")),
    close: () => Promise.reject(new Error("there is no connection")),
  });
  await assert.rejects(pull(lost), { name: "ProtocolError", code: "client-failed" });
  const silent = client({ readFile: () => new Promise(() => {}) });
  await assert.rejects(pull(silent, { silenceMaxMs: 100 }), { code: "timeout" });
  const stop = new AbortController();
  const stopping = client({
    readFile() {
      stop.abort();
      return new Promise(() => {});
    },
  });
  await assert.rejects(pull(stopping, { signal: stop.signal }), { code: "interrupted" });
  // A link is not followed, be it the root.
  const link = pull(client(), { roots: { "root.pxar": disk.join("link") } });
  await assert.rejects(link, { name: "OsError", code: "ELOOP" });
  await assert.rejects(pull(client(), { roots: { "root.pxar": `${tree}/a` } }), {
    code: "ENOTDIR",
  });
  assert.equal(store.previous({ id: "x" }), undefined);
});
