/**
 * A catalog whose backup is any directory: for tests that need known files below an overlay and no
 * server.
 *
 * @module
 */

import { BackupWriter, createInstance } from "#tests/support/backup_writer.ts";

const PAGE_SIZE = 8192;

/** A catalog that {@link buildDirectoryCatalog} made. */
export interface DirectoryCatalog {
  readonly instance: string;
  readonly backupId: string;
}

function* walk(root: string, below = ""): Generator<{ path: string; status: Deno.FileInfo }> {
  for (const name of [...Deno.readDirSync(`${root}/${below}`)].map((each) => each.name).sort()) {
    const path = below === "" ? name : `${below}/${name}`;
    const status = Deno.lstatSync(`${root}/${path}`);
    yield { path, status };
    if (status.isDirectory) yield* walk(root, path);
  }
}

/** What the FULL backup holds of a page that the DELTA replaces. */
function olderPage(content: Uint8Array<ArrayBuffer>, block: number): void {
  content.subarray(block * PAGE_SIZE, (block + 1) * PAGE_SIZE).reverse();
}

/**
 * Makes a chain of FULL and DELTA in `catalog` that shows the directories and regular files of
 * `source`. Files whose length is a multiple of 8192 are stored as data files: every third page,
 * and the second half, come from the DELTA. A backup cannot hold symbolic links.
 */
export function buildDirectoryCatalog(catalog: string, source: string): DirectoryCatalog {
  const instance = "directory";
  const config = { systemIdentifier: "7000000000000000002", walSegmentBytes: 16 << 20 };
  const instanceDirectory = createInstance(catalog, instance, config);
  const common = { serverVersion: 15, checksumVersion: 0, compression: "zlib" } as const;
  const startSeconds = 1_800_000_000;
  const full = new BackupWriter(instanceDirectory, { ...common, mode: "FULL", startSeconds });
  const delta = new BackupWriter(instanceDirectory, {
    ...common,
    mode: "DELTA",
    parentId: full.id,
    startSeconds: startSeconds + 3600,
  });
  for (const { path, status } of walk(source)) {
    const mode = (status.mode ?? 0) & 0o7777;
    if (status.isDirectory) {
      full.addDirectory(path, mode);
      delta.addDirectory(path, mode);
    } else {
      addFile(full, delta, path, mode, Deno.readFileSync(`${source}/${path}`));
    }
  }
  full.finish();
  delta.finish();
  return { instance, backupId: delta.id };
}

function addFile(
  full: BackupWriter,
  delta: BackupWriter,
  path: string,
  mode: number,
  content: Uint8Array<ArrayBuffer>,
): void {
  if (content.length === 0 || content.length % PAGE_SIZE !== 0) {
    full.addPlainFile(path, mode, content);
    delta.addPlainFile(path, mode, content, true);
    return;
  }
  const blockCount = content.length / PAGE_SIZE;
  const isNew = (block: number) => block % 3 === 0 || block >= blockCount / 2;
  const older = content.slice(0, Math.ceil(blockCount / 2) * PAGE_SIZE);
  for (let block = 0; block * PAGE_SIZE < older.length; block += 3) olderPage(older, block);
  full.addDataFile(path, mode, older, { compression: "zlib" });
  delta.addDataFile(path, mode, content, { compression: "none", isStored: isNew });
}
