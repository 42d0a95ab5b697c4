/**
 * FUSE worker for tests: files with ACLs, on a kernel that checks them or not.
 *
 * @module
 */

import { XATTR_ACL_ACCESS } from "#src/bytes/posix_acl.ts";
import { serveWorker } from "#src/mount/fuse_worker.ts";
import { treeFileSystem } from "#src/mount/tree_file_system.ts";
import { memoryDirectory, memoryFile, MemoryTree } from "#src/tree/memory_tree.ts";

/** user::rw- user:1234:r-- group::--- mask::r-- other::--- */
const GRANTING = Uint8Array.fromHex(
  "0200000001000600ffffffff02000400d204000004000000ffffffff10000400ffffffff20000000ffffffff",
);
/** user::rw- user:1234:--- group::r-- mask::r-- other::r-- */
const DENYING = Uint8Array.fromHex(
  "0200000001000600ffffffff02000000d204000004000400ffffffff10000400ffffffff20000400ffffffff",
);

function file(permissions: number, acl?: Uint8Array) {
  const xattrs = acl === undefined ? {} : { [XATTR_ACL_ACCESS]: acl };
  return memoryFile("secret\n", { uid: 1000, gid: 2000, permissions, xattrs });
}

const files = memoryDirectory({
  denying: file(0o644, DENYING),
  granting: file(0o640, GRANTING),
  plain: file(0o640),
}, { permissions: 0o755 });

const root = memoryDirectory({ d: files }, { permissions: 0o755 });

serveWorker((_description, { posixAcls }) =>
  treeFileSystem(new MemoryTree(root), { showsRestrictedModes: !posixAcls })
);
