/**
 * Changes a file through a mapping that outlives the descriptor, and says whether its mtime tells:
 * `_map_child.ts FILE`.
 *
 * @module
 */

import * as posix from "#tests/support/posix_calls.ts";

const PAUSE_MS = 50;

const path = Deno.args[0]!;
const before = posix.stat(path).mtimeNs;
const fd = posix.open(path, posix.O.RDWR);
const mapping = posix.mapShared(fd, 8192);
posix.close(fd);
mapping.bytes[5] = 1;
mapping.sync();
mapping.unmap();
await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
const after = posix.stat(path).mtimeNs;
console.log(after > before ? "changed" : `${before}, then ${after}`);
