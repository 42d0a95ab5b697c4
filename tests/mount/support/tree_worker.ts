/**
 * FUSE worker for tests: serves a tree, read-only.
 *
 * @module
 */

import { serveWorker } from "#src/mount/fuse_worker.ts";
import { TreeFileSystem } from "#src/mount/tree_file_system.ts";
import { openTestTree, type TestTree } from "./test_trees.ts";

serveWorker((description) => new TreeFileSystem(openTestTree(description as TestTree)));
