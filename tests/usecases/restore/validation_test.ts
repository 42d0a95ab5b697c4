/** Stored bytes that no checksum of a page proves: those of clusters without checksums. */

import assert from "node:assert/strict";
import { openSource } from "#src/sources/mod.ts";
import { IntegrityError } from "#src/errors.ts";
import { restoreSource } from "#src/usecases/restore/restore.ts";
import { spawnThread } from "#src/usecases/threads.ts";
import { BackupWriter, createInstance } from "#tests/support/backup_writer.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { restoreRequest } from "./_request.ts";

const PAGE_SIZE = 8192;

Deno.test("damage of pages without checksums is found by that of the stored file", async () => {
  using home = new TempDirectory("restore-validation");
  const store = home.join("catalog");
  const config = { systemIdentifier: "7000000000000000003", walSegmentBytes: 16 << 20 };
  const writer = new BackupWriter(createInstance(store, "main", config), {
    serverVersion: 15,
    checksumVersion: 0,
    compression: "none",
    mode: "FULL",
    startSeconds: 1_800_000_000,
  });
  writer.addDirectory("base", 0o700);
  writer.addDirectory("base/1", 0o700);
  const pages = new Uint8Array(5 * PAGE_SIZE).map((_, index) => index % 251);
  writer.addDataFile("base/1/16384", 0o600, pages, { compression: "none" });
  writer.finish();

  const stored = `${store}/backups/main/${writer.id}/database/base/1/16384`;
  using file = Deno.openSync(stored, { write: true });
  file.seekSync(8 + 100, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array([255]));
  using source = await openSource(`${store}#main/${writer.id}`);
  const restore = (target: string, isValidating: boolean) =>
    restoreSource(
      source,
      restoreRequest(home.join(target), { isValidating }),
      spawnThread,
      () => {},
    );
  await assert.rejects(restore("checked", true), (error: IntegrityError) => {
    return error instanceof IntegrityError && error.path === stored;
  });
  await restore("unchecked", false);
  assert.equal(Deno.readFileSync(home.join("unchecked/base/1/16384"))[100], 255);
});
