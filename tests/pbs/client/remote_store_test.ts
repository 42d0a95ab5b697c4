import { testSnapshotStore } from "../snapshot_store_conformance.ts";
import { FAKE_AUTH_ID, FakeNetwork } from "./_fake_network.ts";

testSnapshotStore(
  "server in memory",
  () => new FakeNetwork(),
  { owner: FAKE_AUTH_ID, fixedChunkSize: 4 << 20 },
);
