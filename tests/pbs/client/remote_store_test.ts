import { NetworkLink } from "#src/pbs/client/network_link.ts";
import { createNetworkMailbox } from "#src/pbs/client/network_mailbox.ts";
import { RemoteStore } from "#src/pbs/client/remote_store.ts";
import { testSnapshotStore } from "../snapshot_store_conformance.ts";

const AUTH_ID = "me@pbs";

testSnapshotStore("server in memory", () => {
  const mailbox = createNetworkMailbox();
  const url = new URL("./fake_network_worker.ts", import.meta.url);
  const thread = new Worker(url, { type: "module" });
  thread.postMessage({ mailbox, server: undefined });
  const link = new NetworkLink(mailbox);
  const name = `${AUTH_ID}@fake:8007:main`;
  return {
    open: (access) => new RemoteStore({ link, name, store: "main", authId: AUTH_ID, access }),
    [Symbol.dispose]() {
      link.stop();
      thread.terminate();
    },
  };
}, { owner: AUTH_ID, fixedChunkSize: 4 << 20 });
