import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { UsageError } from "#src/errors.ts";
import {
  formatBackupTime,
  formatGroup,
  formatSnapshot,
  groupDirectory,
  isBackupId,
  isNamespaceName,
  namespaceDirectory,
  namespaceNames,
  parseBackupTime,
  parseGroup,
  parseNamespace,
  parseSnapshot,
  ROOT_NAMESPACE,
  snapshotDirectory,
} from "#src/pbs/format/snapshot_path.ts";
import { expectedDatastore, snapshotPath } from "#tests/support/pbs_fixtures.ts";

Deno.test("parseSnapshot() and snapshotDirectory() find every golden snapshot", () => {
  for (const expected of expectedDatastore().snapshots) {
    const snapshot = parseSnapshot(expected.snapshot, parseNamespace(expected.ns));
    equal(formatSnapshot(snapshot), expected.snapshot);
    equal(snapshotPath(expected).endsWith(`/${snapshotDirectory(snapshot)}`), true);
    const group = parseGroup(formatGroup(snapshot.group), snapshot.group.ns);
    deepEqual(group, snapshot.group);
  }
});

Deno.test("parseNamespace() takes up to seven names", () => {
  equal(parseNamespace(""), ROOT_NAMESPACE);
  deepEqual(namespaceNames(ROOT_NAMESPACE), []);
  equal(namespaceDirectory(ROOT_NAMESPACE), "");
  equal(namespaceDirectory(parseNamespace("a/b.c-d_e")), "ns/a/ns/b.c-d_e");
  equal(groupDirectory(parseGroup("vm/100", parseNamespace("a/b"))), "ns/a/ns/b/vm/100");
  equal(namespaceNames(parseNamespace("1/2/3/4/5/6/7")).length, 7);
  const long = "n".repeat(32);
  equal(parseNamespace(long), long);
  const bad = [
    "1/2/3/4/5/6/7/8",
    "/",
    "/a",
    "a/",
    "a//b",
    ".a",
    "-a",
    "a/..",
    "a b",
    "ä",
    "a\n",
    `${long}n`,
    Array(7).fill(long).join("/") + "/x",
  ];
  for (const text of bad) throws(() => parseNamespace(text), UsageError, JSON.stringify(text));
  equal(isNamespaceName("a/b"), false);
});

Deno.test("parseGroup() refuses what is no group", () => {
  deepEqual(parseGroup("host/elsa", ROOT_NAMESPACE), { ns: "", type: "host", id: "elsa" });
  const bad = ["", "host", "host/", "pc/x", "/x", "host/a/b", "host/../x", "host/.x", "host/a b"];
  for (const text of bad) throws(() => parseGroup(text, ROOT_NAMESPACE), UsageError, text);
  equal(isBackupId("a".repeat(255)), true);
  equal(isBackupId("a".repeat(256)), false);
  equal(isBackupId("a\n"), false);
});

Deno.test("groupDirectory() stays inside of the datastore", () => {
  for (const id of ["../../elsewhere", "..", "a/b", "", "a\0"]) {
    throws(() => groupDirectory({ ns: ROOT_NAMESPACE, type: "host", id }), UsageError, id);
  }
  const type = "../host" as "host";
  throws(
    () => snapshotDirectory({ group: { ns: ROOT_NAMESPACE, type, id: "a" }, time: 1 }),
    UsageError,
  );
});

Deno.test("parseSnapshot() refuses what is no snapshot", () => {
  const bad = [
    "host/elsa",
    "host/elsa/",
    "host/elsa/2024-01-10",
    "host/elsa/2024-01-10T10:00:00",
    "host/elsa/2024-01-10T10:00:00+00:00",
    "host/elsa/2024-02-30T10:00:00Z",
    "host/elsa/2024-01-10T24:00:00Z",
    "host/elsa/2024-01-10T10:00:60Z",
    "host/elsa/1970-01-01T00:00:00Z",
    "host/elsa/x/2024-01-10T10:00:00Z",
    "2024-01-10T10:00:00Z",
    "host/elsa/2024-01-10T10:00:00Z\n",
  ];
  for (const text of bad) throws(() => parseSnapshot(text, ROOT_NAMESPACE), UsageError, text);
});

Deno.test("formatBackupTime() and parseBackupTime() are each other's reverse", () => {
  equal(formatBackupTime(1_704_880_800), "2024-01-10T10:00:00Z");
  equal(parseBackupTime("9999-12-31T23:59:59Z"), 253_402_300_799);
  throws(() => formatBackupTime(0), UsageError);
  throws(() => formatBackupTime(253_402_300_800), UsageError);
  throws(() => formatBackupTime(1.5), UsageError);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 253_402_300_799 }), (time) => {
      equal(parseBackupTime(formatBackupTime(time)), time);
    }),
    { seed: 6 },
  );
});
