/**
 * A thread that takes a job, makes a file `begun` in the store, and never comes to an end.
 *
 * @module
 */

import type { DirectoryDescription } from "#src/pbs/storage/directory/directory_storage.ts";
import { JobQueue } from "#src/threads/job_queue.ts";
import { serveThread } from "#src/threads/thread.ts";
import { sleep } from "#src/threads/waiting.ts";

interface Start {
  readonly queue: SharedArrayBuffer;
  readonly storage: DirectoryDescription;
}

const HANG_MS = 3_600_000;

function hang(start: unknown): void {
  const { queue, storage } = start as Start;
  new JobQueue(queue).serve(() => {
    Deno.writeTextFileSync(`${storage.path}/begun`, "");
    sleep(HANG_MS);
  });
}

serveThread({ verify: hang, "read-ahead": hang }, () => {});
