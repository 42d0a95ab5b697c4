/**
 * A network thread with a server in its own memory.
 *
 * @module
 */

import type { ChunkDiskCacheAddress } from "#src/pbs/client/chunk_disk_cache.ts";
import { NetworkLink } from "#src/pbs/client/network_link.ts";
import { createNetworkMailbox } from "#src/pbs/client/network_mailbox.ts";
import { RemoteStore } from "#src/pbs/client/remote_store.ts";

/** Who is logged in. */
export const FAKE_AUTH_ID = "me@pbs";

/** See the module. */
export class FakeNetwork implements Disposable {
  readonly link: NetworkLink;
  readonly #thread: Worker;

  constructor() {
    const mailbox = createNetworkMailbox();
    const url = new URL("./fake_network_worker.ts", import.meta.url);
    this.#thread = new Worker(url, { type: "module" });
    this.#thread.postMessage({ mailbox, server: undefined });
    this.link = new NetworkLink(mailbox);
  }

  open(access: "read" | "write", cache?: ChunkDiskCacheAddress): RemoteStore {
    return new RemoteStore({
      link: this.link,
      name: `${FAKE_AUTH_ID}@fake:8007:main`,
      store: "main",
      authId: FAKE_AUTH_ID,
      access,
      cache,
    });
  }

  /** Calls of sessions since this was last asked. */
  calls(): string[] {
    return this.link.rest("GET", "admin/datastore/main/calls") as string[];
  }

  /** Calls of the REST interface since this was last asked. */
  restCalls(): string[] {
    return this.link.rest("GET", "admin/datastore/main/rest-calls") as string[];
  }

  [Symbol.dispose](): void {
    this.link.stop();
    this.#thread.terminate();
  }
}
