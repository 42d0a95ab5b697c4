/**
 * Extraction by a process of its own: as a user without rights, and under narrow permissions
 * without FFI.
 */

import assert from "node:assert/strict";
import * as host from "#ffi/libc/calls.ts";
import { memoryEntry } from "#src/pxar/mod.ts";
import { NO_ACL } from "#src/bytes/acl.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import {
  archiveOf,
  assertRestored,
  DIRECTORY,
  FILE,
  look,
  metadata,
  SYMLINK,
  text,
} from "./_extract_support.ts";

const CHILD = new URL("./_extract_child.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const NOBODY = 65534;
const CAPABILITY = Uint8Array.fromHex("0100000200200000000000000000000000000000");

interface ChildReport {
  readonly isPartial: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly problems: readonly {
    readonly path: string;
    readonly step: string;
    readonly severity: string;
    readonly code: string;
  }[];
}

function run(
  scratch: TempDirectory,
  permissions: readonly string[],
  options: Deno.CommandOptions,
  ...args: string[]
): ChildReport {
  const { code, stdout, stderr } = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "--config", CONFIG, ...permissions, CHILD, ...args],
    env: { DENO_DIR: scratch.join("deno"), HOME: scratch.path },
    cwd: scratch.path,
    ...options,
  }).outputSync();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test({
  name: "DescriptorTarget restores what a user without rights can, and reports the rest",
  ignore: host.getEffectiveUid() !== 0,
  fn() {
    using scratch = new TempDirectory("nobody");
    const own = { uid: NOBODY, gid: NOBODY };
    const acl = { ...NO_ACL, users: [{ id: 5n, permissions: 4n }], groupObject: 0n };
    const archive = archiveOf((encoder) => {
      encoder.add("device", {
        kind: "device",
        metadata: metadata(0o020666, own),
        major: 1n,
        minor: 3n,
      });
      encoder.add("fcaps", memoryEntry(FILE({ ...own, fcaps: CAPABILITY }), text("")));
      encoder.add("fifo", { kind: "fifo", metadata: metadata(0o010600, own) });
      encoder.add("foreign", memoryEntry(FILE({ uid: 1, gid: 1, mode: 0o104755 }), text("abc")));
      encoder.add("own", memoryEntry(FILE({ ...own, mode: 0o100640, acl }), text("abc")));
      encoder.add("readonly", {
        kind: "directory",
        metadata: DIRECTORY({ ...own, mode: 0o040500 }),
      });
      encoder.add("inside", memoryEntry(FILE({ ...own, mode: 0o100400 }), text("x")));
      encoder.finishDirectory();
      encoder.add("socket", { kind: "socket", metadata: metadata(0o140600, own) });
      encoder.add("symlink", { kind: "symlink", metadata: SYMLINK(own), target: "own" });
      encoder.add(
        "trusted",
        memoryEntry(FILE({ ...own, xattrs: [{ name: "trusted.x", value: text("") }] }), text("")),
      );
      encoder.add(
        "user",
        memoryEntry(FILE({ ...own, xattrs: [{ name: "user.x", value: text("1") }] }), text("")),
      );
    }, DIRECTORY(own));
    Deno.writeFileSync(scratch.join("a.pxar"), archive);
    for (const name of ["deno", "t"]) {
      Deno.mkdirSync(scratch.join(name));
      Deno.chownSync(scratch.join(name), NOBODY, NOBODY);
    }
    const report = run(
      scratch,
      ["--allow-read", "--allow-write", "--allow-ffi"],
      { uid: NOBODY, gid: NOBODY },
      scratch.join("a.pxar"),
      scratch.join("t"),
    );
    assert.ok(report.isPartial);
    assert.deepEqual(
      report.problems.map(({ path, severity, code }) => [path, severity, code]),
      [
        ["/device", "error", "EPERM"],
        ["/fcaps", "error", "EPERM"],
        ["/foreign", "error", "EPERM"],
        ["/foreign", "warning", "EPERM"],
        ["/trusted", "error", "EPERM"],
      ],
    );
    const restored = (name: string) => look(scratch.join("t", name));
    assert.equal(restored("foreign").stat.mode & 0o7777, 0o755);
    assert.equal(restored("foreign").stat.mtimeNanoseconds, 123_456_789);
    assert.equal(Deno.readTextFileSync(scratch.join("t", "foreign")), "abc");
    assert.equal(restored("readonly").stat.mode & 0o7777, 0o500);
    assert.equal(restored("symlink").stat.mtimeNanoseconds, 123_456_789);
    assert.ok(restored("own").xattrs.has("system.posix_acl_access"));
    assert.ok(restored("user").xattrs.has("user.x"));
    assert.throws(() => restored("device"));
  },
});

Deno.test("PlainTarget runs without FFI, allowed to write nothing but its target", () => {
  using scratch = new TempDirectory("plain");
  // Without FFI, times are exact to the millisecond.
  const mtime = { seconds: 1_700_000_000, nanoseconds: 123_000_000 };
  const sparse = new Uint8Array(1 << 20).fill(1, 300_000, 300_001);
  const archive = archiveOf((encoder) => {
    encoder.add("dir", { kind: "directory", metadata: DIRECTORY({ mode: 0o040500, mtime }) });
    const first = encoder.add("file", memoryEntry(FILE({ mode: 0o100440, mtime }), text("abc")));
    encoder.finishDirectory();
    encoder.add("hardlink", { kind: "hardlink", targetPath: "dir/file", target: first });
    encoder.add(
      "old",
      memoryEntry(FILE({ mtime: { seconds: -2, nanoseconds: 250_000_000 } }), text("")),
    );
    encoder.add("sparse", memoryEntry(FILE({ mtime }), sparse));
  }, DIRECTORY({ mtime: { seconds: 7, nanoseconds: 999_000_000 } }));
  Deno.writeFileSync(scratch.join("a.pxar"), archive);
  const target = scratch.join("t");
  const permissions = ["--allow-read", `--allow-write=${target}`];
  const report = run(scratch, permissions, {}, scratch.join("a.pxar"), target, "plain");
  assert.deepEqual(report.problems, []);
  assertRestored(target, archive);
  assert.ok(look(`${target}/sparse`).stat.blocks * 512 < sparse.length);
});

Deno.test("PlainTarget reports what needs FFI or further permissions", () => {
  using scratch = new TempDirectory("plain");
  const archive = archiveOf((encoder) => {
    encoder.add("capable", memoryEntry(FILE({ fcaps: CAPABILITY, flags: 0x10000n }), text("")));
    encoder.add("fifo", { kind: "fifo", metadata: metadata(0o010600) });
    encoder.add("name-\udcff", memoryEntry(FILE(), text("")));
    encoder.add("symlink", { kind: "symlink", metadata: SYMLINK(), target: "x" });
    encoder.add(
      "xattr",
      memoryEntry(FILE({ xattrs: [{ name: "user.x", value: text("") }] }), text("")),
    );
  });
  Deno.writeFileSync(scratch.join("a.pxar"), archive);
  const target = scratch.join("t");
  const narrow = ["--allow-read", `--allow-write=${target}`];
  const codes = (report: ChildReport) =>
    report.problems.map(({ path, severity, code }) => [path, severity, code]);
  assert.deepEqual(codes(run(scratch, narrow, {}, scratch.join("a.pxar"), target, "plain")), [
    ["/capable", "error", "EOPNOTSUPP"],
    ["/capable", "error", "EOPNOTSUPP"],
    ["/fifo", "error", "EOPNOTSUPP"],
    ["/name-\udcff", "error", "EOPNOTSUPP"],
    ["/symlink", "error", "EPERM"],
  ]);
  const wide = ["--allow-read", "--allow-write"];
  const report = run(scratch, wide, {}, scratch.join("a.pxar"), scratch.join("u"), "plain");
  assert.deepEqual(codes(report).at(-1), ["/symlink", "warning", "EOPNOTSUPP"]);
  assert.equal(Deno.readLinkSync(scratch.join("u", "symlink")), "x");
});
