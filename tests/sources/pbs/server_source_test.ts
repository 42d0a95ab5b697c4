/** Archives and images of a server are the same trees as those of a directory, in every thread. */

import assert from "node:assert/strict";
import { backup, type ChangeDetectionMode, parseBackupSpec } from "#src/backup/mod.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { type GroupId, ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import type { StoreAddress } from "#src/pbs/store_address.ts";
import { openPbsSource } from "#src/sources/pbs/pbs_source.ts";
import { parseSourceName } from "#src/sources/mod.ts";
import { FAKE_AUTH_ID, FakeNetwork } from "#tests/pbs/client/_fake_network.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { manifestOf } from "../_manifest.ts";
import { manifestInThread } from "../_manifest_in_thread.ts";

const GROUP: GroupId = { ns: ROOT_NAMESPACE, type: "host", id: "x" };
const SNAPSHOT = { group: GROUP, time: 1_700_000_000 };
const CRYPT = new CryptConfig(new Uint8Array(32).fill(5));
const MODES: readonly ChangeDetectionMode[] = ["legacy", "data"];

for (const crypt of [undefined, CRYPT]) {
  for (const mode of MODES) {
    Deno.test(`A source of a server shows what that of a directory shows, ${mode}, ${crypt ? "encrypted" : "plain"}`, async () => {
      using place = new TempDirectory("server-source");
      Deno.mkdirSync(place.join("tree/inner"), { recursive: true });
      Deno.writeFileSync(place.join("tree/inner/large"), new Random(1).bytes(9_000_000));
      Deno.writeTextFileSync(place.join("tree/small"), "small");
      Deno.linkSync(place.join("tree/small"), place.join("tree/inner/same"));
      Deno.symlinkSync("small", place.join("tree/link"));
      Deno.writeFileSync(place.join("disk"), new Random(2).bytes(9 << 20));
      Deno.mkdirSync(place.join("store/.chunks"), { recursive: true });
      using network = new FakeNetwork();
      const name = `${FAKE_AUTH_ID}@fake:8007:main`;
      const server: StoreAddress = {
        kind: "server",
        name,
        store: "main",
        authId: FAKE_AUTH_ID,
        mailbox: network.link.shared,
      };
      const local: StoreAddress = { kind: "directory", path: place.join("store") };
      const specs = [`root.pxar:${place.join("tree")}`, `disk.img:${place.join("disk")}`]
        .map(parseBackupSpec);
      const directory = Datastore.open(place.join("store"), { access: "write" });
      for (const store of [directory, network.open("write")]) {
        backup(store.startSnapshot({ ...SNAPSHOT, crypt }), specs, { mode });
        store.close();
      }
      for (const archive of ["root.pxar", "disk.img"]) {
        const request = { snapshot: SNAPSHOT, archive, key: crypt?.key, threadCount: 2 };
        using there = openPbsSource({ ...request, store: server });
        using here = openPbsSource({ ...request, store: local });
        const expected = manifestOf(here.openTree());
        assert.deepEqual(manifestOf(there.openTree()), expected);
        assert.deepEqual(await manifestInThread(there.description), expected);
        const { ids } = await there.identify();
        assert.deepEqual(ids, (await here.identify()).ids);
        assert.equal(there.description.sizeBytes, here.description.sizeBytes);
        const parsed = parseSourceName(there.description.name);
        assert.deepEqual([parsed.kind, parsed.place], ["pbs", name]);
      }
    });
  }
}
