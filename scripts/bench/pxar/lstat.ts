/**
 * A client that asks for the attributes of files, a process of its own: reads paths from standard
 * input, one a line, and prints the seconds that lstat(2) of all of them took, as JSON.
 *
 *     deno run --allow-ffi --allow-read scripts/bench/pxar/lstat.ts <PATHS
 *
 * @module
 */

import { At, HostStat, statAt } from "#ffi/libc/calls.ts";
import { unwrap } from "#ffi/os_error.ts";

if (import.meta.main) {
  const text = await new Response(Deno.stdin.readable).text();
  const paths = text.trim().split("\n");
  const stat = new HostStat();
  const start = performance.now();
  for (const path of paths) unwrap(statAt(At.FDCWD, path, stat), "lstat", path);
  console.log(JSON.stringify({ seconds: (performance.now() - start) / 1000 }));
}
