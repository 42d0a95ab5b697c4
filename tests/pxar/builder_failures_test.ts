/**
 * Sources in which something cannot be read: each failure costs what it is about, and nothing else.
 *
 * @module
 */

import assert from "node:assert/strict";
import { OsError, StateError } from "#src/errors.ts";
import { Errno } from "#ffi/libc/calls.ts";
import {
  type BuildSource,
  type MakeBuildSource,
  makeNativeSource,
  type SourceDirectory,
  type SourceFile,
} from "#src/pxar/builder/mod.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { build, type Built, checkArchive, entryAt, makeTree } from "./_build_support.ts";

/** What fails: the call, the path, and from which offset to which for reads. */
interface Fault {
  readonly call: "twice" | "open" | "openDirectory" | "list" | "stat" | "readLink" | "read";
  readonly path: string;
  readonly errno: number;
  readonly from?: number;
  readonly to?: number;
}

const MIB = 1 << 20;

/** The host's files, but for the faults. `counts` gets the number of failed reads. */
function failing(faults: readonly Fault[], counts = { reads: 0 }): MakeBuildSource {
  const find = (call: Fault["call"], path: string) =>
    faults.find((fault) => fault.call === call && fault.path === path);
  return (options, report): BuildSource => {
    const source = makeNativeSource(options, report);
    const wrapFile = (file: SourceFile, path: string): SourceFile => ({
      metadata: (stat, at) => file.metadata(stat, at),
      read(target, offset) {
        const fault = find("read", path);
        const from = fault?.from ?? 0;
        const to = fault?.to ?? Infinity;
        if (fault === undefined || offset >= to || offset + target.length <= from) {
          return file.read(target, offset);
        }
        if (offset < from) return file.read(target.subarray(0, from - offset), offset);
        counts.reads++;
        return -fault.errno;
      },
      // Without findData: holes would be no reads.
      close: () => file.close(),
    });
    const wrap = (directory: SourceDirectory, at: string): SourceDirectory => ({
      list(take) {
        const fault = find("list", at);
        const isTwice = find("twice", at) !== undefined;
        let left = fault?.from ?? (fault === undefined ? Infinity : 0);
        const result = directory.list((name, type) => {
          if (left-- > 0) take(name, type);
          if (isTwice) take(name, type);
        });
        return fault === undefined ? result : -fault.errno;
      },
      stat(name, stat) {
        const fault = find("stat", `${at}/${name}`);
        return fault === undefined ? directory.stat(name, stat) : -fault.errno;
      },
      openFile(name, stat) {
        const fault = find("open", `${at}/${name}`);
        if (fault !== undefined) return -fault.errno;
        const file = directory.openFile(name, stat);
        return typeof file === "number" ? file : wrapFile(file, `${at}/${name}`);
      },
      openDirectory(name, stat) {
        const fault = find("openDirectory", `${at}/${name}`);
        if (fault !== undefined) return -fault.errno;
        const child = directory.openDirectory(name, stat);
        return typeof child === "number" ? child : wrap(child, `${at}/${name}`);
      },
      readLink(name) {
        const fault = find("readLink", `${at}/${name}`);
        return fault === undefined ? directory.readLink(name) : -fault.errno;
      },
      metadata: (stat, path) => directory.metadata(stat, path),
      isPseudo: () => directory.isPseudo?.() === true,
      close: () => directory.close(),
    });
    return {
      uid: source.uid,
      gid: source.gid,
      openRoot(path, stat) {
        const root = source.openRoot(path, stat);
        return typeof root === "number" ? root : wrap(root, "");
      },
    };
  };
}

function problemsOf({ report }: Built): string[] {
  return report.problems.map(({ severity, kind, path }) => `${severity} ${kind} ${path}`);
}

Deno.test("buildArchive() goes on after whatever a name fails with", async () => {
  using scratch = new TempDirectory("failures");
  makeTree(scratch.path, {
    "a/x": "1",
    "cut/1": "1",
    "cut/2": "2",
    "dead/x": "",
    "gone/x": "",
    "file": "1",
    "link": { symlink: "a" },
    "z": "kept",
  });
  for (const errno of [Errno.EIO, Errno.ENOTCONN, Errno.ETIMEDOUT, Errno.EUCLEAN, 9999]) {
    const makeSource = failing([
      { call: "openDirectory", path: "/dead", errno },
      { call: "list", path: "/gone", errno },
      { call: "list", path: "/cut", errno, from: 1 },
      { call: "open", path: "/file", errno },
      { call: "readLink", path: "/link", errno },
    ]);
    for (const isSplit of [false, true]) {
      const built = build(scratch.path, { makeSource }, isSplit);
      assert.deepEqual(problemsOf(built), [
        "error incomplete /cut",
        "error unreadable /dead",
        "error unreadable /file",
        "error incomplete /gone",
        "error unreadable /link",
      ]);
      const { entries, report } = built;
      assert.equal([...entries.keys()].filter((path) => path.startsWith("/cut/")).length, 1);
      assert.deepEqual(
        [...entries.keys()].filter((path) => !path.startsWith("/cut/")),
        ["/", "/a", "/a/x", "/cut", "/gone", "/z"],
      );
      assert.equal(report.isPartial, true);
      await checkArchive(built);
    }
  }
});

Deno.test("buildArchive() ends when it is this process that can go on no longer", () => {
  using scratch = new TempDirectory("own");
  makeTree(scratch.path, { "a/x": "1" });
  for (const errno of [Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM]) {
    for (const call of ["openDirectory", "list"] as const) {
      const makeSource = failing([{ call, path: "/a", errno }]);
      assert.throws(() => build(scratch.path, { makeSource }), { errno });
    }
    const makeSource = failing([{ call: "read", path: "/a/x", errno }]);
    assert.throws(() => build(scratch.path, { makeSource }), { errno });
  }
});

Deno.test("buildArchive() fails for a source of which nothing can be listed", () => {
  using scratch = new TempDirectory("root");
  makeTree(scratch.path, { a: "", b: "" });
  const dead = failing([{ call: "list", path: "", errno: Errno.ENOTCONN }]);
  assert.throws(() => build(scratch.path, { makeSource: dead }), OsError);
  const cut = failing([{ call: "list", path: "", errno: Errno.EIO, from: 1 }]);
  const built = build(scratch.path, { makeSource: cut });
  assert.deepEqual(problemsOf(built), ["error incomplete /"]);
  assert.equal(built.entries.size, 2);
});

Deno.test("buildArchive() keeps of a file what can be read around a bad sector", async () => {
  using scratch = new TempDirectory("sector");
  const content = new Uint8Array(900_000).fill(7);
  Deno.writeFileSync(scratch.join("bad"), content);
  makeTree(scratch.path, { "z": "kept" });
  const fault = { call: "read", path: "/bad", errno: Errno.EIO, from: 65_536, to: 69_632 } as const;
  for (const isSplit of [false, true]) {
    const built = build(scratch.path, { makeSource: failing([fault]) }, isSplit);
    const stored = built.entries.get("/bad")!.content;
    const zeros = stored.reduce((sum, byte) => sum + (byte === 0 ? 1 : 0), 0);
    assert.equal(zeros, 4096);
    assert.equal(stored.indexOf(0), 65_536);
    assert.equal(stored.length, content.length);
    assert.deepEqual(problemsOf(built), ["error incomplete /bad"]);
    assert.match(built.report.problems[0]!.message, /offset 65536: EIO .*, 4096 of 900000 bytes/);
    assert.equal(built.entries.get("/z")!.content.length, 4);
    await checkArchive(built);
  }
});

Deno.test("buildArchive() soon gives up a file in which nothing can be read", async () => {
  using scratch = new TempDirectory("unreadable");
  Deno.writeFileSync(scratch.join("io"), new Uint8Array(1));
  Deno.truncateSync(scratch.join("io"), 30 * MIB);
  Deno.writeFileSync(scratch.join("lost"), new Uint8Array(800_000).fill(7));
  const reads = { reads: 0 };
  const built = build(scratch.path, {
    makeSource: failing([
      { call: "read", path: "/io", errno: Errno.EIO },
      { call: "read", path: "/lost", errno: Errno.ENOTCONN, from: 5000 },
    ], reads),
  });
  assert.deepEqual(problemsOf(built), ["error incomplete /io", "error incomplete /lost"]);
  assert.ok(reads.reads <= 9, `${reads.reads} reads`);
  const lost = built.entries.get("/lost")!.content;
  assert.equal(lost.indexOf(0), 5000);
  assert.ok(lost.subarray(5000).every((byte) => byte === 0));
  await checkArchive(built);
});

Deno.test("the time of a file that is incomplete is never that of the file in a split archive", () => {
  using scratch = new TempDirectory("marked");
  makeTree(scratch.path, { bad: "12345", good: "12345" });
  for (const nanoseconds of [0, 5]) {
    for (const name of ["bad", "good"]) {
      Deno.utimeSync(scratch.join(name), 100, 100 + nanoseconds / 1000);
    }
    const makeSource = failing([{ call: "read", path: "/bad", errno: Errno.EIO }]);
    const built = build(scratch.path, { makeSource }, true);
    const { mtime: good } = entryAt(built, "/good").metadata;
    const { mtime: bad } = entryAt(built, "/bad").metadata;
    const elapsedNs = (good.seconds - bad.seconds) * 1e9 + good.nanoseconds - bad.nanoseconds;
    assert.equal(elapsedNs, 1);
  }
});

Deno.test("buildArchive() with isStrict ends at the first entry that would be missing", () => {
  using scratch = new TempDirectory("strict");
  makeTree(scratch.path, { a: "1", b: "2", c: "3" });
  for (const call of ["open", "read"] as const) {
    const makeSource = failing([{ call, path: "/b", errno: Errno.EIO }]);
    const begun: string[] = [];
    assert.throws(
      () => build(scratch.path, { makeSource, isStrict: true, onEntry: (it) => begun.push(it) }),
      (error) => error instanceof StateError && error.code === "partial",
    );
    assert.ok(!begun.includes("/c"));
  }
});

Deno.test("an exclude file that cannot be read is reported, and its directory archived", () => {
  using scratch = new TempDirectory("exclude");
  makeTree(scratch.path, { ".pxarexclude": "a\n", a: "1" });
  const makeSource = failing([{ call: "read", path: "/.pxarexclude", errno: Errno.EIO }]);
  const built = build(scratch.path, { makeSource });
  assert.deepEqual(problemsOf(built), [
    "warning exclude-file /.pxarexclude",
    "error incomplete /.pxarexclude",
  ]);
  assert.ok(built.entries.has("/a"));
});

Deno.test("a name that is listed twice is archived once", () => {
  using scratch = new TempDirectory("twice");
  makeTree(scratch.path, { a: "1", "b/x": "2", "\u{1F600}": "3" });
  const built = build(scratch.path, {
    makeSource: failing([{ call: "twice", path: "", errno: 0 }]),
  });
  assert.deepEqual([...built.entries.keys()], ["/", "/a", "/b", "/b/x", "/\u{1F600}"]);
});
