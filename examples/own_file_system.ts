/**
 * Files that lie in no file system, as a client: an accessor says what there is, `LocalClient`
 * serves it.
 *
 *     deno run -A --unstable-worker-options examples/own_file_system.ts DATASTORE
 *
 * @module
 */

import { type ClientEntry, type FileSystemAccessor, LocalClient } from "@pbkfs/pbkfs/backup";
import { OsError } from "@pbkfs/pbkfs/errors";
import { BackupStore } from "@pbkfs/pbkfs/pull";
import { NO_ACL } from "@pbkfs/pbkfs/pxar";

const ENOENT = 2;
const files = new Map([["hello.txt", "hello"], ["numbers.csv", "1,2,3\n"]]);

function entry(name: string, mode: number, sizeBytes: number): ClientEntry {
  return {
    name,
    metadata: {
      mode,
      flags: 0n,
      uid: 1000,
      gid: 1000,
      mtime: { seconds: 1_700_000_000, nanoseconds: 0 },
      xattrs: [],
      acl: NO_ACL,
      fcaps: undefined,
      projectId: 0n,
    },
    linkCount: 1,
    ino: 1,
    device: 1,
    sizeBytes,
    blocks: 1,
    rdev: 0,
    ctimeSeconds: undefined,
    target: undefined,
    openErrno: undefined,
    problems: [],
  };
}

const accessor: FileSystemAccessor = {
  stat(path) {
    if (path === "/") return entry("", 0o040755, 0);
    const content = files.get(path.slice(1));
    if (content === undefined) throw new OsError(ENOENT, "stat", path);
    return entry(path.slice(1), 0o100644, content.length);
  },
  *readDirectory() {
    const entries = [...files].map(([name, text]) => entry(name, 0o100644, text.length));
    yield { entries, failures: [] };
  },
  readFile(path, { offsetBytes }) {
    const content = new TextEncoder().encode(files.get(path.slice(1)));
    return { entry: this.stat(path), content: [content.subarray(offsetBytes)] };
  },
};

using store = await BackupStore.open(Deno.args[0]!);
const result = await store.pull(new LocalClient(accessor), {
  id: "made-up",
  roots: { "root.pxar": "/" },
});
console.log(`${result.snapshot}: ${result.fileCount} files of ${result.totalBytes} bytes`);
