import { deepEqual, equal } from "node:assert/strict";
import {
  archiveNameOf,
  defaultFileName,
  findArchive,
  pxarIndexName,
  splitIndexNames,
} from "#src/pbs/format/archive_name.ts";

const filesOf = (...names: string[]) => names.map((filename) => ({ filename }));

Deno.test("findArchive() finds an archive in one stream by its name and its index", () => {
  const files = filesOf("root.pxar.didx", "catalog.pcat1.didx");
  const expected = { kind: "pxar", index: "root.pxar.didx" };
  deepEqual(findArchive(files, "root.pxar"), expected);
  deepEqual(findArchive(files, "root.pxar.didx"), expected);
  equal(findArchive(files, "root.mpxar"), undefined);
  equal(findArchive(files, "root"), undefined);
  equal(findArchive(files, "other.pxar"), undefined);
});

Deno.test("findArchive() finds a split archive by each of its names", () => {
  const files = filesOf("root.ppxar.didx", "root.mpxar.didx");
  const expected = { kind: "split-pxar", metadata: "root.mpxar.didx", payload: "root.ppxar.didx" };
  for (const name of ["root.pxar", "root.mpxar", "root.ppxar"]) {
    deepEqual(findArchive(files, name), expected);
    deepEqual(findArchive(files, `${name}.didx`), expected);
  }
  equal(findArchive(files.slice(1), "root.pxar"), undefined);
  const both = filesOf("root.pxar.didx", "root.ppxar.didx", "root.mpxar.didx");
  deepEqual(findArchive(both, "root.pxar"), { kind: "pxar", index: "root.pxar.didx" });
  deepEqual(findArchive(both, "root.ppxar"), expected);
});

Deno.test("findArchive() finds images, catalogs and blobs", () => {
  const files = filesOf("disk.img.fidx", "catalog.pcat1.didx", "vm.conf.blob", "a.b.blob");
  for (const name of ["disk.img", "disk.img.fidx"]) {
    deepEqual(findArchive(files, name), { kind: "image", index: "disk.img.fidx" });
  }
  for (const name of ["catalog.pcat1", "catalog.pcat1.didx"]) {
    deepEqual(findArchive(files, name), { kind: "catalog", index: "catalog.pcat1.didx" });
  }
  deepEqual(findArchive(files, "vm.conf"), { kind: "blob", file: "vm.conf.blob" });
  deepEqual(findArchive(files, "a.b.blob"), { kind: "blob", file: "a.b.blob" });
  equal(findArchive(files, "tiny.conf"), undefined);
});

Deno.test("defaultFileName() says which file was meant, and archiveNameOf() the reverse", () => {
  const pairs = {
    "root.pxar": "root.pxar.didx",
    "disk.img": "disk.img.fidx",
    "tiny.conf": "tiny.conf.blob",
    "index.json": "index.json.blob",
  };
  for (const [name, file] of Object.entries(pairs)) {
    equal(defaultFileName(name), file);
    equal(defaultFileName(file), file);
    equal(archiveNameOf(file), name);
  }
  equal(pxarIndexName("a"), "a.pxar.didx");
  deepEqual(splitIndexNames("a"), { metadata: "a.mpxar.didx", payload: "a.ppxar.didx" });
});
