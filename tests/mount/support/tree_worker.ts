/**
 * FUSE worker for tests: serves a tree, read-only.
 *
 * @module
 */

import { serveWorker } from "#src/mount/fuse_worker.ts";
import { treeFileSystem } from "#src/mount/tree_file_system.ts";
import { openTestTree, type TestTree } from "./test_trees.ts";

serveWorker((description) => treeFileSystem(openTestTree(description as TestTree)));
