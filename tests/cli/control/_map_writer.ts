/**
 * Maps a file and, at SIGUSR1, changes a page in memory and ends: `_map_writer.ts FILE`.
 *
 * @module
 */

import * as posix from "#tests/support/posix_calls.ts";

const fd = posix.open(Deno.args[0]!, posix.O.RDWR);
const mapping = posix.mapShared(fd, 8192);
// The page is in memory, and may be written, from now on.
mapping.bytes[5] = 1;
mapping.sync();
Deno.addSignalListener("SIGUSR1", () => {
  mapping.bytes[6] = 1;
  console.log("changed");
  Deno.exit();
});
// Signals alone keep no program running.
setInterval(() => {}, 60_000);
console.log("mapped");
