/**
 * Prints the manifest of a directory: `walk_child.ts DIRECTORY`.
 *
 * @module
 */

import { walkManifest } from "#tests/support/tree_manifest.ts";

const [directory = "."] = Deno.args;
for (const entry of walkManifest(directory)) console.log(JSON.stringify(entry));
