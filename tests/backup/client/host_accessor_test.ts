import assert from "node:assert/strict";
import { HostAccessor } from "#src/backup/client/host_accessor.ts";
import { LocalClient } from "#src/backup/client/local_client.ts";
import type { ClientEntry, ContentPiece } from "#src/backup/client/provider.ts";
import { OsError } from "#src/errors.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

async function collect(client: LocalClient, path: string): Promise<Map<string, ClientEntry>> {
  const found = new Map<string, ClientEntry>();
  for await (const { entries, self } of client.readDirectory(path)) {
    if (self !== undefined) found.set(".", self.entry);
    for (const entry of entries) found.set(entry.name, entry);
  }
  return found;
}

Deno.test("A client of this host tells all that stat(2), links and attributes say, and contents", async () => {
  using directory = new TempDirectory("client");
  const root = directory.path;
  const client = new LocalClient(new HostAccessor());
  try {
    Deno.mkdirSync(`${root}/below`);
    Deno.writeTextFileSync(`${root}/text`, "hello");
    Deno.linkSync(`${root}/text`, `${root}/twin`);
    Deno.symlinkSync("text", `${root}/link`);
    Deno.mkdirSync(`${root}/below/deeper`);
    await runCommand(["mkfifo", `${root}/pipe`], { timeoutMs: 10_000 });
    const sparse = Deno.openSync(`${root}/sparse`, { write: true, create: true });
    sparse.truncateSync(1 << 20);
    sparse.close();
    const found = await collect(client, root);
    assert.deepEqual([...found.keys()].sort(), [
      ".",
      "below",
      "link",
      "pipe",
      "sparse",
      "text",
      "twin",
    ]);
    const text = found.get("text")!;
    assert.equal(text.sizeBytes, 5);
    assert.equal(text.linkCount, 2);
    assert.equal(text.ino, found.get("twin")!.ino);
    assert.equal(found.get("link")!.target, "text");
    assert.equal(found.get("pipe")!.metadata.mode & 0o170000, 0o010000);
    assert.deepEqual(await client.stat(`${root}/text`), text);
    assert.equal((await client.stat("/")).name, "");
    const file = await client.readFile(`${root}/text`, { offsetBytes: 1, lengthBytes: 3 });
    const pieces: ContentPiece[] = [];
    for await (const piece of file.content) pieces.push(piece);
    assert.deepEqual(pieces, [new TextEncoder().encode("ell")]);
    assert.deepEqual(file.entry, text);
    const holes: ContentPiece[] = [];
    const all = await client.readFile(`${root}/sparse`, { offsetBytes: 0, lengthBytes: "all" });
    for await (const piece of all.content) holes.push(piece);
    assert.deepEqual(holes, [{ holeBytes: 1 << 20 }]);
    await assert.rejects(client.stat(`${root}/none`), (error) => {
      return error instanceof OsError && error.code === "ENOENT";
    });
    const link = client.readFile(`${root}/link`, { offsetBytes: 0, lengthBytes: "all" });
    await assert.rejects(link, (error) => error instanceof OsError && error.code === "ELOOP");
  } finally {
    client.close();
  }
});
