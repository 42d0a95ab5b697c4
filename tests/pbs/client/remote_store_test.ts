import assert from "node:assert/strict";
import { type GroupId, ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
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
