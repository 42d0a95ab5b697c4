/** Round trips: archives made in memory, extracted and compared in every attribute. */

import assert from "node:assert/strict";
import * as host from "#ffi/libc/calls.ts";
import {
  DescriptorTarget,
  extractArchive,
  type ExtractArchiveOptions,
  type ExtractReport,
  OVERWRITE_ALL,
  parseFilesFrom,
  parseIncludePatterns,
  RESTORE_ALL,
  type TargetOptions,
} from "#src/pxar/extractor/mod.ts";
import { memoryEntry, PxarAccessor, type PxarEncoder } from "#src/pxar/mod.ts";
import { NO_ACL } from "#src/bytes/acl.ts";
import { MemorySource } from "#tests/support/pxar_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import {
  archiveOf,
  assertRestored,
  clearAttributes,
  decoderOf,
  DIRECTORY,
  FILE,
  look,
  metadata,
  SYMLINK,
  text,
} from "./_extract_support.ts";

const isRoot = host.getEffectiveUid() === 0;
const LONG_NAME = "ü".repeat(127) + "x";
const NOT_UTF8 = "latin1-\udce4\udcff";
const BLOCK = 4096;

/** Data, a hole of 1 MiB, data that end inside of a block, and a hole at the end. */
function sparseContent(): Uint8Array {
  const content = new Uint8Array(3 * (1 << 20) + 17);
  content.fill(7, 0, 5000);
  content.fill(8, 1 << 20, (1 << 20) + 300_001);
  return content;
}

function addEverything(encoder: PxarEncoder): void {
  const owner = isRoot ? { uid: 1234, gid: 2345 } : {};
  encoder.add("acl-dir", {
    kind: "directory",
    metadata: DIRECTORY({
      acl: {
        ...NO_ACL,
        users: [{ id: 5n, permissions: 7n }],
        groupObject: 5n,
        default: { userObject: 7n, groupObject: 5n, other: 0n, mask: 7n },
        defaultUsers: [{ id: 6n, permissions: 6n }, { id: 9n, permissions: 0n }],
        defaultGroups: [{ id: 7n, permissions: 4n }],
      },
    }),
  });
  encoder.add("inside", memoryEntry(FILE(), new Uint8Array(0)));
  encoder.finishDirectory();
  encoder.add(
    "acl-file",
    memoryEntry(
      FILE({
        mode: 0o100660,
        acl: { ...NO_ACL, users: [{ id: 1000n, permissions: 6n }], groupObject: 4n },
      }),
      text("acl"),
    ),
  );
  encoder.add("deep", { kind: "directory", metadata: DIRECTORY({ mode: 0o040500 }) });
  encoder.add(LONG_NAME, { kind: "directory", metadata: DIRECTORY({ mode: 0o042755 }) });
  const first = encoder.add(NOT_UTF8, memoryEntry(FILE({ mode: 0o100400 }), text("data")));
  encoder.finishDirectory();
  encoder.finishDirectory();
  encoder.add("fifo", { kind: "fifo", metadata: metadata(0o010620) });
  encoder.add("hardlink", {
    kind: "hardlink",
    targetPath: `deep/${LONG_NAME}/${NOT_UTF8}`,
    target: first,
  });
  encoder.add(
    "old",
    memoryEntry(FILE({ mtime: { seconds: -2, nanoseconds: 500_000_000 } }), text("o")),
  );
  encoder.add(
    "older",
    memoryEntry(FILE({ mtime: { seconds: -2_000_000_000, nanoseconds: 1 } }), text("o")),
  );
  encoder.add("owned", memoryEntry(FILE({ ...owner, mode: 0o106755 }), text("ok")));
  encoder.add("socket", { kind: "socket", metadata: metadata(0o140600) });
  const sparse = sparseContent();
  encoder.add("sparse", memoryEntry(FILE(), sparse));
  encoder.add("symlink", {
    kind: "symlink",
    metadata: SYMLINK({ ...owner, mtime: { seconds: -1, nanoseconds: 999_999_999 } }),
    target: "/etc/passwd",
  });
  encoder.add(
    "xattr",
    memoryEntry(
      FILE({
        xattrs: [{ name: "user.one", value: text("1\0") }, { name: "user.two", value: text("") }],
      }),
      text("x"),
    ),
  );
  encoder.add("zeros", memoryEntry(FILE(), new Uint8Array(3 * BLOCK + 5)));
}

function addForRoot(encoder: PxarEncoder): void {
  encoder.add("zz-block", {
    kind: "device",
    metadata: metadata(0o060640, { gid: 6 }),
    major: 8n,
    minor: 1n,
  });
  encoder.add("zz-char", {
    kind: "device",
    metadata: metadata(0o020666),
    major: 4095n,
    minor: 1048575n,
  });
  encoder.add(
    "zz-fcaps",
    memoryEntry(
      FILE({
        mode: 0o100755,
        uid: 77,
        fcaps: Uint8Array.fromHex("0100000200200000000000000000000000000000"),
      }),
      text("c"),
    ),
  );
  encoder.add(
    "zz-trusted",
    memoryEntry(FILE({ xattrs: [{ name: "trusted.t", value: text("t") }] }), text("")),
  );
}

function extract(
  archive: Uint8Array,
  directory: string,
  target: TargetOptions = {},
  options: ExtractArchiveOptions = {},
): ExtractReport {
  return extractArchive(decoderOf(archive), DescriptorTarget.open(directory, target), options);
}

Deno.test("extractArchive restores every type with every attribute", () => {
  using scratch = new TempDirectory("extract");
  const archive = archiveOf((encoder) => {
    addEverything(encoder);
    if (isRoot) addForRoot(encoder);
  }, DIRECTORY({ mode: 0o041777, mtime: { seconds: 5, nanoseconds: 6 } }));
  const report = extract(archive, scratch.join("new", "target"));
  assert.deepEqual(report.problems, []);
  assert.equal(report.isPartial, false);
  assert.equal(report.counts.hardlink, 1);
  assertRestored(scratch.join("new", "target"), archive);
});

Deno.test("extractArchive leaves holes where there are blocks of zeros", () => {
  using scratch = new TempDirectory("extract");
  const target = scratch.join("t");
  extract(archiveOf(addEverything), target);
  assert.ok(look(`${target}/sparse`).stat.blocks * 512 < (1 << 20));
  assert.equal(look(`${target}/zeros`).stat.blocks, 0);
});

Deno.test("extractArchive gives back space that was reserved for a hole", () => {
  using scratch = new TempDirectory("extract");
  const content = new Uint8Array(6 << 20).fill(1);
  content.fill(0, 2 << 20, 3 << 20);
  content.fill(0, (4 << 20) + 100);
  const archive = archiveOf((encoder) => encoder.add("f", memoryEntry(FILE(), content)));
  extract(archive, scratch.join("t"));
  assertRestored(scratch.join("t"), archive);
  assert.equal(look(scratch.join("t", "f")).stat.blocks * 512, (3 << 20) + BLOCK);
});

Deno.test({
  name: "extractArchive restores attributes of chattr, also of a file with several names",
  ignore: !isRoot,
  fn() {
    using scratch = new TempDirectory("extract");
    const target = scratch.join("t");
    const archive = archiveOf((encoder) => {
      // Immutable and append only; d and A, D on a directory.
      const first = encoder.add("a", memoryEntry(FILE({ flags: 0x410000n }), text("a")));
      encoder.add("b", { kind: "hardlink", targetPath: "a", target: first });
      encoder.add("dir", { kind: "directory", metadata: DIRECTORY({ flags: 0x320000n }) });
      encoder.finishDirectory();
    });
    const report = extract(archive, target);
    try {
      const unsupported = report.problems.filter(({ severity }) => severity === "warning");
      assert.equal(report.errorCount, 0);
      assertRestored(target, archive, undefined, {
        steps: new Set(unsupported.map(({ step }) => step)),
      });
    } finally {
      clearAttributes(target);
    }
  },
});

Deno.test("extractArchive makes hard links in trees deeper than a path can be long", () => {
  using scratch = new TempDirectory("extract");
  const name = "d".repeat(200);
  const depth = 20;
  const archive = archiveOf((encoder) => {
    for (let i = 0; i < depth; i++) encoder.add(name, { kind: "directory", metadata: DIRECTORY() });
    const first = encoder.add("f".repeat(76), memoryEntry(FILE(), text("f")));
    encoder.add("g", {
      kind: "hardlink",
      targetPath: [...Array(depth).fill(name), "f".repeat(76)].join("/"),
      target: first,
    });
    for (let i = 0; i < depth; i++) encoder.finishDirectory();
  });
  const report = extract(archive, scratch.join("t"));
  assert.deepEqual(report.problems, []);
  assert.equal(report.counts.hardlink, 1);
});

Deno.test("extractArchive leaves out what is switched off", () => {
  using scratch = new TempDirectory("extract");
  const target = scratch.join("t");
  const features = {
    ...RESTORE_ALL,
    owner: false,
    xattrs: false,
    acls: false,
    fifos: false,
    sockets: false,
    deviceNodes: false,
  };
  const report = extract(
    archiveOf((encoder) => {
      addEverything(encoder);
      addForRoot(encoder);
    }),
    target,
    { features: { ...features, fcaps: false } },
  );
  assert.equal(report.errorCount, 0);
  assert.equal(report.skippedCount, 4);
  assert.deepEqual(look(`${target}/acl-file`).xattrs, new Map());
  assert.deepEqual(look(`${target}/xattr`).xattrs, new Map());
  // Set-id bits of another owner's file would lend the rights of whoever extracts.
  assert.equal(look(`${target}/owned`).stat.mode & 0o7777, isRoot ? 0o755 : 0o6755);
  assert.equal(look(`${target}/owned`).stat.uid, host.getEffectiveUid());
  assert.throws(() => look(`${target}/fifo`));
});

Deno.test("extractArchive keeps ACLs of the target's directory away from entries", () => {
  using scratch = new TempDirectory("extract");
  const target = scratch.join("t");
  const withDefault = DIRECTORY({
    acl: {
      ...NO_ACL,
      default: { userObject: 7n, groupObject: 7n, other: 7n, mask: 7n },
      defaultUsers: [{ id: 6n, permissions: 7n }],
    },
  });
  extract(archiveOf(() => {}, withDefault), target);
  assert.ok(look(target).xattrs.has("system.posix_acl_default"));
  const archive = archiveOf((encoder) => {
    encoder.add("d", { kind: "directory", metadata: DIRECTORY() });
    encoder.add("f", memoryEntry(FILE(), text("")));
    encoder.add("fifo", { kind: "fifo", metadata: metadata(0o010644) });
    encoder.finishDirectory();
    encoder.add("f", memoryEntry(FILE(), text("")));
  });
  assert.deepEqual(extract(archive, target).problems, []);
  assertRestored(target, archive);
});

Deno.test("extractArchive reports an ACL without an entry for the owning group", () => {
  using scratch = new TempDirectory("extract");
  const acl = { ...NO_ACL, users: [{ id: 5n, permissions: 4n }] };
  const archive = archiveOf((encoder) => {
    encoder.add("f", memoryEntry(FILE({ mode: 0o100670, acl }), text("")));
  });
  const report = extract(archive, scratch.join("t"));
  assert.deepEqual(report.problems.map(({ severity }) => severity), ["warning"]);
  assert.equal(report.isPartial, false);
  assertRestored(scratch.join("t"), archive);
});

Deno.test("extractArchive makes directories on the way to what patterns select", () => {
  using scratch = new TempDirectory("extract");
  const archive = archiveOf((encoder) => {
    encoder.add("a", { kind: "directory", metadata: DIRECTORY({ mode: 0o040711 }) });
    encoder.add("b", { kind: "directory", metadata: DIRECTORY({ mode: 0o040710 }) });
    encoder.add("x.txt", memoryEntry(FILE(), text("x")));
    encoder.add("y.bin", memoryEntry(FILE(), text("y")));
    encoder.finishDirectory();
    encoder.finishDirectory();
    encoder.add("none", { kind: "directory", metadata: DIRECTORY() });
    encoder.add("z.bin", memoryEntry(FILE(), text("z")));
    encoder.finishDirectory();
    encoder.add("whole", { kind: "directory", metadata: DIRECTORY() });
    encoder.add("w.bin", memoryEntry(FILE(), text("w")));
    encoder.finishDirectory();
  });
  const patterns = parseIncludePatterns(["*.txt", "/whole"]);
  const report = extract(archive, scratch.join("t"), {}, { patterns });
  assert.equal(report.isPartial, false);
  assert.equal(report.counts.file, 2);
  assert.equal(look(scratch.join("t", "a")).stat.mode & 0o777, 0o711);
  assert.equal(look(scratch.join("t", "a", "b")).stat.mtimeNanoseconds, 123_456_789);
  assert.deepEqual(
    [...Deno.readDirSync(scratch.join("t"))].map(({ name }) => name).sort(),
    ["a", "whole"],
  );
  assert.equal(Deno.readTextFileSync(scratch.join("t", "whole", "w.bin")), "w");
  assert.throws(() => look(scratch.join("t", "a", "b", "y.bin")));
});

Deno.test("parseFilesFrom passes over comments and empty lines", () => {
  using scratch = new TempDirectory("extract");
  const archive = archiveOf((encoder) => {
    encoder.add("#a", memoryEntry(FILE(), text("")));
    encoder.add("b", memoryEntry(FILE(), text("")));
    encoder.add("c", memoryEntry(FILE(), text("")));
  });
  const patterns = parseFilesFrom(text("#a\n\n/b\nc"));
  assert.equal(patterns.length, 2);
  assert.equal(extract(archive, scratch.join("t"), {}, { patterns }).counts.file, 2);
});

Deno.test("extractArchive reports a hard link to what is not selected", () => {
  using scratch = new TempDirectory("extract");
  const archive = archiveOf((encoder) => {
    const first = encoder.add("a", memoryEntry(FILE(), text("a")));
    encoder.add("b", { kind: "hardlink", targetPath: "a", target: first });
  });
  Deno.mkdirSync(scratch.join("t"));
  Deno.writeTextFileSync(scratch.join("t", "a"), "not of this archive");
  const report = extract(archive, scratch.join("t"), {}, { patterns: parseIncludePatterns(["b"]) });
  assert.equal(report.problems[0]!.path, "/b");
  assert.match(report.problems[0]!.error.message, /"\/a", which is not selected; select that too/);
  assert.equal(report.isPartial, true);
  assert.throws(() => look(scratch.join("t", "b")));
});

Deno.test("extractArchive gives a hard link the content of what is not selected, where it can be read", () => {
  using scratch = new TempDirectory("extract");
  const archive = archiveOf((encoder) => {
    const first = encoder.add("a", memoryEntry(FILE(), text("first")));
    const other = encoder.add("b", memoryEntry(FILE(), text("other")));
    encoder.add("c", { kind: "hardlink", targetPath: "a", target: first });
    encoder.add("d", { kind: "hardlink", targetPath: "b", target: other });
    encoder.add("e", { kind: "hardlink", targetPath: "a", target: first });
    encoder.add("f", { kind: "hardlink", targetPath: "b", target: first });
  });
  let openedCount = 0;
  const report = extract(archive, scratch.join("t"), {}, {
    patterns: parseIncludePatterns(["[c-f]"]),
    openAccessor: () => {
      openedCount++;
      return PxarAccessor.open(new MemorySource(archive));
    },
  });
  const read = (name: string) => Deno.readTextFileSync(scratch.join("t", name));
  assert.deepEqual(["c", "d", "e"].map(read), ["first", "other", "first"]);
  assert.equal(
    Deno.statSync(scratch.join("t", "c")).ino,
    Deno.statSync(scratch.join("t", "e")).ino,
  );
  assert.equal(openedCount, 1);
  // Offset and path of the last one speak of different files.
  assert.deepEqual(report.problems.map(({ path }) => path), ["/f"]);
  assert.deepEqual([...Deno.readDirSync(scratch.join("t"))].length, 3);
  assert.deepEqual([report.counts.file, report.counts.hardlink], [2, 1]);
});

Deno.test("extractArchive replaces what policies allow, and never a directory", () => {
  using scratch = new TempDirectory("extract");
  const target = scratch.join("t");
  const archive = archiveOf((encoder) => {
    const first = encoder.add("file", memoryEntry(FILE(), text("new")));
    encoder.add("hardlink", { kind: "hardlink", targetPath: "file", target: first });
    encoder.add("symlink", { kind: "symlink", metadata: SYMLINK(), target: "new" });
  });
  const prepare = () => {
    Deno.mkdirSync(target);
    Deno.writeTextFileSync(scratch.join("outside"), "old");
    Deno.linkSync(scratch.join("outside"), `${target}/file`);
    Deno.symlinkSync(scratch.join("outside"), `${target}/hardlink`);
    Deno.symlinkSync("old", `${target}/symlink`);
  };
  prepare();
  const before = Deno.readTextFileSync(scratch.join("outside"));
  assert.equal(extract(archive, target).errorCount, 3);
  for (const policy of ["files", "hardlinks", "symlinks"] as const) {
    const overwrite = { ...OVERWRITE_ALL, files: false, hardlinks: false, symlinks: false };
    const report = extract(archive, target, { overwrite: { ...overwrite, [policy]: true } });
    // A hard link is not made to a file that is not the archive's.
    assert.equal(report.errorCount, policy === "symlinks" || policy === "files" ? 2 : 3, policy);
  }
  assert.deepEqual(extract(archive, target, { overwrite: OVERWRITE_ALL }).problems, []);
  assertRestored(target, archive);
  assert.equal(Deno.readTextFileSync(scratch.join("outside")), before);
  Deno.removeSync(`${target}/file`);
  Deno.mkdirSync(`${target}/file`);
  const report = extract(archive, target, { overwrite: OVERWRITE_ALL });
  assert.deepEqual(report.problems.map(({ path }) => path), ["/file", "/hardlink"]);
});

Deno.test("extractArchive uses existing directories only when allowed", () => {
  using scratch = new TempDirectory("extract");
  const archive = archiveOf((encoder) => {
    encoder.add("d", { kind: "directory", metadata: DIRECTORY({ mode: 0o040700 }) });
    encoder.add("f", memoryEntry(FILE(), text("f")));
    encoder.finishDirectory();
  });
  Deno.mkdirSync(scratch.join("t", "d"), { recursive: true });
  const refused = extract(archive, scratch.join("t"));
  assert.deepEqual(refused.problems.map(({ path }) => path), ["/d"]);
  assert.equal(refused.skippedCount, 2);
  const overwrite = { ...OVERWRITE_ALL, directories: true };
  assert.deepEqual(extract(archive, scratch.join("t"), { overwrite }).problems, []);
  assertRestored(scratch.join("t"), archive);
});

Deno.test("extractArchive stops at the first error in strict mode", () => {
  using scratch = new TempDirectory("extract");
  const target = scratch.join("t");
  Deno.mkdirSync(target);
  Deno.writeTextFileSync(`${target}/b`, "");
  const archive = archiveOf((encoder) => {
    for (const name of ["a", "b", "c"]) encoder.add(name, memoryEntry(FILE(), text("")));
  });
  assert.throws(() => extract(archive, target, {}, { isStrict: true }), { code: "EEXIST" });
  assert.ok(look(`${target}/a`));
  assert.throws(() => look(`${target}/c`));
});

Deno.test("extractArchive tells of its progress", () => {
  using scratch = new TempDirectory("extract");
  const content = new Uint8Array(20 << 20).fill(1);
  const archive = archiveOf((encoder) => encoder.add("a", memoryEntry(FILE(), content)));
  const seen: number[] = [];
  const onProgress = ({ contentBytes }: { contentBytes: number }) => void seen.push(contentBytes);
  extract(archive, scratch.join("t"), {}, { onProgress });
  assert.ok(seen.length >= 3);
  assert.equal(seen.at(-1), content.length);
});
