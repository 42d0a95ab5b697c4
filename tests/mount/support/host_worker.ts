/**
 * FUSE worker for tests: serves a host directory, writable.
 *
 * @module
 */

import { serveWorker } from "#src/mount/fuse_worker.ts";
import { HostFileSystem } from "./host_file_system.ts";

serveWorker((description, { backing }) => new HostFileSystem(description as string, backing));
