import assert from "node:assert/strict";
import { type GroupId, ROOT_NAMESPACE, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import { testSnapshotStore } from "../snapshot_store_conformance.ts";
import { FAKE_AUTH_ID, FakeNetwork } from "./_fake_network.ts";

testSnapshotStore(
  "server in memory",
  () => new FakeNetwork(),
  { owner: FAKE_AUTH_ID, fixedChunkSize: 4 << 20 },
);

Deno.test("a group whose first backup was given up is in no list, and can get another owner", () => {
  using network = new FakeNetwork();
  const store = network.open("write");
  const group: GroupId = { ns: ROOT_NAMESPACE, type: "host", id: "elsa" };
  assert.throws(() => store.setOwner(group, "other@pbs"), { code: "not-found" });
  store.startSnapshot({ group }).abort();
  assert.deepEqual(store.groups(ROOT_NAMESPACE), []);
  store.setOwner(group, "other@pbs");
  const next = store.startSnapshot({ group });
  next.addBlob("a.blob", new Uint8Array(10));
  next.finish();
  assert.equal(store.groupInfo(group).owner, "other@pbs");
});

Deno.test("a change is one call; a list is asked for where it is refused", () => {
  using network = new FakeNetwork();
  const store = network.open("write");
  const group: GroupId = { ns: ROOT_NAMESPACE, type: "host", id: "elsa" };
  const writer = store.startSnapshot({ group, time: 1_700_000_000 });
  writer.addBlob("a.blob", new Uint8Array(10));
  writer.finish();
  const there = { group, time: 1_700_000_000 };
  const missing = { group, time: 1_600_000_000 };
  const log = new Uint8Array(10);
  const changes: readonly (readonly [string, (id: SnapshotId) => void])[] = [
    ["PUT notes", (id) => store.setNotes(id, "kept")],
    ["PUT protected", (id) => store.setProtected(id, false)],
    ["POST upload-backup-log", (id) => store.addClientLog(id, log)],
    ["DELETE snapshots", (id) => store.forget(id)],
  ];
  network.restCalls();
  for (const [call, change] of changes) {
    assert.throws(() => change(missing), {
      code: "not-found",
      message: "Cannot find snapshot host/elsa/2020-09-13T12:26:40Z",
    });
    assert.deepEqual(network.restCalls(), [call, "GET snapshots"]);
    change(there);
    assert.deepEqual(network.restCalls(), [call]);
  }
});
