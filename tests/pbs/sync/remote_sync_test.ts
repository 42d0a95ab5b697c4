import assert from "node:assert/strict";
import { NetworkLink } from "#src/pbs/client/network_link.ts";
import { createNetworkMailbox } from "#src/pbs/client/network_mailbox.ts";
import { RemoteStore } from "#src/pbs/client/remote_store.ts";
import { parseNamespace } from "#src/pbs/format/snapshot_path.ts";
import { syncStores } from "#src/pbs/sync/sync_stores.ts";
import { assertSound, makeStore, openStore } from "#tests/support/pbs_activity.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { assertSame } from "./_compare.ts";
import { backUp } from "./_server_snapshot.ts";

/** A store behind a network thread. */
class Server implements Disposable {
  readonly store: RemoteStore;
  readonly #link: NetworkLink;
  readonly #thread: Worker;

  /** @param module of the thread @param server what it is told of its server */
  constructor(module: string, server?: unknown) {
    const mailbox = createNetworkMailbox();
    this.#thread = new Worker(new URL(module, import.meta.url), { type: "module" });
    this.#thread.postMessage({ mailbox, server });
    const link = this.#link = new NetworkLink(mailbox);
    const authId = "me@pbs";
    this.store = new RemoteStore({ link, name: "fake", store: "main", authId, access: "write" });
  }

  [Symbol.dispose](): void {
    this.#link.stop();
    this.#thread.terminate();
  }
}

Deno.test("syncStores() copies to a server and from there, as it is stored", () => {
  using home = new TempDirectory("sync-remote");
  using server = new Server("../client/fake_network_worker.ts");
  for (const name of ["source", "target"]) makeStore(home.join(name));
  const [source, target] = [openStore(home.join("source")), openStore(home.join("target"))];
  const random = new Random(3);
  source.createNamespace(parseNamespace("below"));
  for (let day = 1; day <= 4; day++) {
    for (const id of ["a", "b"]) {
      const snapshot = backUp(source, random, id, day);
      source.setNotes(snapshot, `day ${day}`);
      if (day === 2) source.setProtected(snapshot, true);
    }
    const there = syncStores(source, server.store);
    assert.deepEqual(there.outcomes.filter(({ result }) => result === "failed"), []);
    const back = syncStores(server.store, target);
    assert.deepEqual(back.outcomes.filter(({ result }) => result === "failed"), []);
  }
  assertSame(source, server.store, true);
  assertSame(source, target, true);
  assertSound(target);
  source.close();
  target.close();
});

Deno.test("syncStores() copies through the sessions of the real server, from one to another", () => {
  using home = new TempDirectory("sync-served");
  const paths = ["source", "one", "two"].map((name) => home.join(name));
  paths.forEach(makeStore);
  using one = new Server("../server/served_network_worker.ts", { path: paths[1] });
  using two = new Server("../server/served_network_worker.ts", { path: paths[2] });
  const source = openStore(paths[0]!);
  const random = new Random(4);
  for (let day = 1; day <= 2; day++) {
    for (const id of ["a", "b"]) backUp(source, random, id, day);
    for (const [from, to] of [[source, one.store], [one.store, two.store]] as const) {
      const { outcomes } = syncStores(from, to);
      assert.deepEqual(outcomes.filter(({ result }) => result === "failed"), []);
      assert.equal(outcomes.filter(({ result }) => result === "copied").length, 2);
    }
  }
  for (const path of paths.slice(1)) {
    const store = openStore(path);
    assertSame(source, store, true);
    assertSound(store);
    store.close();
  }
  source.close();
});
