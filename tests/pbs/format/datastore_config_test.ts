import assert from "node:assert/strict";
import { parseDatastoreConfig } from "#src/pbs/format/datastore_config.ts";

Deno.test("parseDatastoreConfig reads a server's list", () => {
  const text = `datastore: main
	comment read-only,type=offline
	gc-schedule daily
	path /mnt/datastore/main

datastore: old
    maintenance-mode read-only
    path /srv/my store

datastore: going
	path /srv/going
	maintenance-mode message=type=x,type=delete
other: something
	path /srv/other
	maintenance-mode type=offline

datastore: stick
	backing-device 0a1b-2c3d
	path backups
datastore: cloud
	backend bucket=b,client=c,type=s3
	path /srv/cache
	maintenance-mode
datastore: bare`;
  const none = { maintenance: undefined, backend: "filesystem" };
  assert.deepEqual(parseDatastoreConfig(text), [
    { ...none, name: "main", path: "/mnt/datastore/main" },
    { ...none, name: "old", path: "/srv/my store", maintenance: "read-only" },
    { ...none, name: "going", path: "/srv/going", maintenance: "delete" },
    { ...none, name: "stick", path: "/mnt/datastore/stick/backups" },
    { ...none, name: "cloud", path: "/srv/cache", backend: "s3" },
    { ...none, name: "bare", path: "" },
  ]);
  assert.deepEqual(parseDatastoreConfig("\0\xff\n\t path /x\n"), []);
});
