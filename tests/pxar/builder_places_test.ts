import assert from "node:assert/strict";
import { NativeFileSink } from "#src/io/files/native_sink.ts";
import * as host from "#ffi/libc/calls.ts";
import type { Sink } from "#src/io/streams.ts";
import { buildArchive } from "#src/pxar/builder/mod.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import {
  build,
  checkArchive,
  checkArchiveFile,
  decode,
  IS_ROOT,
  makeTree,
  tool,
} from "./_build_support.ts";

const CHILD = new URL("./_build_child.ts", import.meta.url).pathname;
const TIMEOUT_MS = 60_000;

Deno.test({
  name: "buildArchive() leaves out what another user may not read, and says so",
  ignore: !IS_ROOT,
  async fn() {
    using scratch = new TempDirectory("nobody");
    makeTree(scratch.join("tree"), { open: "1", "secret/x": "2", "secret.txt": "3", z: "4" });
    Deno.chmodSync(scratch.join("tree"), 0o755);
    Deno.chmodSync(scratch.join("tree/secret"), 0o700);
    Deno.chmodSync(scratch.join("tree/secret.txt"), 0o600);
    Deno.mkdirSync(scratch.join("out"));
    Deno.chmodSync(scratch.join("out"), 0o777);
    const archive = scratch.join("out/a.pxar");
    const permissions = ["--no-check", "--allow-ffi", "--allow-read", "--allow-write"];
    const command = denoRunCommand(permissions, CHILD, [scratch.join("tree"), archive]);
    const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const { stdout } = await runCommand([...user, ...command], {
      timeoutMs: TIMEOUT_MS,
      env: { DENO_DIR: scratch.join("out/deno"), HOME: scratch.join("out") },
    });
    const report = JSON.parse(stdout);
    assert.deepEqual(
      report.problems.map((
        problem: { kind: string; path: string },
      ) => [problem.kind, problem.path]),
      [["unreadable", "/secret"], ["unreadable", "/secret.txt"]],
    );
    assert.equal(report.errorCount, 2);
    assert.equal(report.isPartial, true);
    const { entries } = decode(Deno.readFileSync(archive));
    assert.deepEqual([...entries.keys()], ["/", "/open", "/z"]);
    assert.equal(Deno.statSync(archive).uid, 65534);
    assert.equal(Deno.statSync(archive).mode! & 0o777, 0o640);
    await checkArchiveFile(archive);
  },
});

Deno.test("buildArchive() leaves out what is too deep for readers, and says so", () => {
  using scratch = new TempDirectory("deep");
  makeTree(scratch.join("tree"), { z: "" });
  // In parts that are put into each other: the kernel takes no path of more than 4096 bytes.
  const makeDeep = (name: string, partDepth: number, partCount: number) => {
    const part = `/${name}`.repeat(partDepth);
    let inner: string | undefined;
    for (let i = 0; i < partCount; i++) {
      const top = scratch.join(`${name[0]}${i}`);
      Deno.mkdirSync(top + part, { recursive: true });
      if (inner !== undefined) Deno.renameSync(inner, `${top}${part}/${name}`);
      inner = `${top}/${name}`;
    }
    Deno.renameSync(inner!, `${scratch.join("tree")}/${name}`);
  };
  makeDeep("d", 700, 3);
  makeDeep("n".repeat(255), 10, 13);
  const { report, entries } = build(scratch.join("tree"));
  assert.deepEqual(report.problems.map(({ kind }) => kind), ["too-deep", "too-deep"]);
  assert.ok(report.isPartial);
  assert.ok(entries.has("/d".repeat(2047)) && !entries.has("/d".repeat(2048)));
  assert.ok(entries.has(`/${"n".repeat(255)}`.repeat(128)));
  assert.ok(entries.has("/z"));
});

Deno.test("buildArchive() needs no FFI with the plain source and sink", async () => {
  using scratch = new TempDirectory("plain");
  const source = scratch.join("tree");
  const archive = scratch.join("a.pxar");
  makeTree(source, { "a/b": "1", l: { symlink: "a" } });
  const permissions = [`--allow-read=${source}`, `--allow-write=${archive}`];
  await runCommand(denoRunCommand(permissions, CHILD, [source, archive, "plain"]), {
    timeoutMs: TIMEOUT_MS,
  });
  const { entries } = decode(Deno.readFileSync(archive));
  assert.deepEqual([...entries.keys()], ["/", "/a", "/a/b", "/l"]);
  await checkArchiveFile(archive);
});

Deno.test({
  name: "buildArchive() goes into other file systems only where asked to, into pseudo ones never",
  ignore: !IS_ROOT,
  async fn() {
    using scratch = new TempDirectory("devices");
    makeTree(scratch.path, { "one/x": "", "two/x": "", "proc/x": "", z: "" });
    const mounted: string[] = [];
    try {
      for (const [name, type] of [["one", "tmpfs"], ["two", "tmpfs"], ["proc", "proc"]] as const) {
        const result = await tool("mount", "-t", type, "pbkfs-test", scratch.join(name));
        if (result?.code !== 0) {
          console.log(`not tested here: cannot mount ${type}: ${result?.stderr}`);
          return;
        }
        mounted.push(scratch.join(name));
      }
      Deno.writeTextFileSync(scratch.join("one/in"), "1");
      Deno.writeTextFileSync(scratch.join("two/in"), "2");
      Deno.chmodSync(scratch.join("one"), 0o711);
      const same = build(scratch.path);
      assert.deepEqual([...same.entries.keys()], ["/", "/one", "/proc", "/two", "/z"]);
      assert.deepEqual(
        same.report.problems.map(({ path, severity }) => [path, severity]),
        [["/one", "notice"], ["/proc", "notice"], ["/two", "notice"]],
      );
      assert.equal(same.report.isPartial, false);
      const one = same.entries.get("/one")!.entry;
      assert.equal(one.kind === "directory" && one.metadata.mode, 0o040711);
      const included = build(scratch.path, { includeDevices: [scratch.join("two")] });
      assert.deepEqual([...included.entries.keys()], [
        "/",
        "/one",
        "/proc",
        "/two",
        "/two/in",
        "/z",
      ]);
      const all = build(scratch.path, { allFileSystems: true });
      const everything = ["/", "/one", "/one/in", "/proc", "/two", "/two/in", "/z"];
      assert.deepEqual([...all.entries.keys()], everything);
      await checkArchive(all);
    } finally {
      for (const path of mounted) await tool("umount", "-l", path);
    }
  },
});

/** Makes a sparse file with `data` at the offsets. */
function makeSparse(path: string, size: number, data: ReadonlyMap<number, string>): void {
  using file = Deno.openSync(path, { write: true, createNew: true });
  for (const [offset, content] of data) {
    file.seekSync(offset, Deno.SeekMode.Start);
    file.writeSync(new TextEncoder().encode(content));
  }
  file.truncateSync(size);
}

const GIB = 2 ** 30;

Deno.test("buildArchive() passes over holes: 4 GiB with little data take neither time nor space", () => {
  using scratch = new TempDirectory("sparse");
  const size = 4 * GIB;
  const data = new Map([[0, "start"], [2 * GIB + 77, "middle"], [size - 3, "end"]]);
  Deno.mkdirSync(scratch.join("tree"));
  makeSparse(scratch.join("tree/f"), size, data);
  makeSparse(scratch.join("tree/g"), GIB, new Map());
  const start = performance.now();
  const sink = NativeFileSink.create(scratch.join("a.pxar"));
  const progress: number[] = [];
  const report = buildArchive(scratch.join("tree"), { metadata: sink }, {
    onProgress: ({ contentBytes }) => progress.push(contentBytes),
  });
  sink.finish();
  assert.ok(
    progress.length > 3 && progress.every((now, at) => at === 0 || progress[at - 1]! <= now),
  );
  assert.equal(progress.at(-1), 5 * GIB);
  const elapsedMs = performance.now() - start;
  assert.ok(elapsedMs < 3000, `${elapsedMs} ms`);
  assert.equal(report.contentBytes, 5 * GIB);
  const stat = Deno.statSync(scratch.join("a.pxar"));
  assert.equal(stat.size, report.sizes?.metadataSize);
  assert.ok(stat.blocks! * 512 < 16 << 20, `${stat.blocks} blocks`);
  using file = Deno.openSync(scratch.join("a.pxar"));
  const contentStart = 56 + 18 + 56 + 16;
  for (const [offset, expected] of data) {
    const found = new Uint8Array(expected.length);
    file.seekSync(contentStart + offset, Deno.SeekMode.Start);
    file.readSync(found);
    assert.equal(new TextDecoder().decode(found), expected);
  }
});

Deno.test("buildArchive() gives holes as zeros to a sink that copies nothing", () => {
  using scratch = new TempDirectory("zeros");
  const size = 64 << 20;
  const data = new Map([[5_000_000, "data"], [size - 4, "last"]]);
  makeSparse(scratch.join("f"), size, data);
  const built = build(scratch.path);
  const { content } = built.entries.get("/f")!;
  assert.equal(content.length, size);
  let others = 0;
  for (const byte of content) if (byte !== 0) others++;
  assert.equal(others, 8);
  for (const [offset, text] of data) {
    assert.equal(new TextDecoder().decode(content.subarray(offset, offset + 4)), text);
  }
});

Deno.test("buildArchive() archives 20,000 files in one directory and hundreds of directories below each other", () => {
  using scratch = new TempDirectory("many");
  const wide = scratch.join("wide");
  Deno.mkdirSync(wide);
  for (let index = 0; index < 20_000; index++) {
    Deno.writeTextFileSync(`${wide}/file-${index}`, index % 7 === 0 ? "" : `${index}`);
  }
  const { fd } = makeDeep(scratch.path, 300);
  host.close(fd);
  const built = build(scratch.path);
  assert.equal(built.report.counts.file, 20_000);
  assert.equal(built.report.counts.directory, 302);
  const last = built.entries.get("/wide/file-19998")!;
  assert.equal(new TextDecoder().decode(last.content), "19998");
});

/**
 * Directories below each other, made by descriptors: the path gets longer than the kernel takes.
 */
function makeDeep(path: string, depth: number): { fd: number } {
  const { RDONLY, DIRECTORY } = host.OpenFlag;
  const name = "d".repeat(20);
  let fd = host.unwrap(host.open(path, RDONLY | DIRECTORY), "open", path);
  for (let level = 0; level < depth; level++) {
    host.unwrap(host.mkdirAt(fd, name, 0o755), "mkdir", name);
    const next = host.unwrap(host.openAt(fd, name, RDONLY | DIRECTORY), "open", name);
    host.close(fd);
    fd = next;
  }
  return { fd };
}

Deno.test("buildArchive() tells how far a long file is, also while the sink copies it", () => {
  using scratch = new TempDirectory("progress");
  const size = 3 << 20;
  Deno.writeFileSync(scratch.join("long"), new Uint8Array(size));
  const seen: number[] = [];
  const copying = { write() {}, copyFrom: (_fd: number, _at: number, left: number) => left >> 1 };
  const report = buildArchive(scratch.path, { metadata: copying }, {
    onProgress: ({ contentBytes }) => seen.push(contentBytes),
  });
  assert.deepEqual(seen.slice(0, 2), [size / 2, size / 4 * 3]);
  assert.equal(seen.at(-1), size);
  assert.equal(report.isPartial, false);
});

Deno.test("buildArchive() closes what it has opened when the sink fails", () => {
  using scratch = new TempDirectory("closed");
  makeTree(scratch.path, { "a/b/c/file": "x".repeat(600_000), "a/b/d": "" });
  const failing: Sink = {
    write: () => {
      throw new Error("full");
    },
  };
  for (let round = 0; round < 5; round++) {
    assert.throws(() => buildArchive(scratch.path, { metadata: failing }), /full/);
  }
  assert.equal(openCount(scratch.path), 0);
});

/**
 * Number of open descriptors of this process at or below a path: other tests run in the same
 * process.
 */
function openCount(path: string): number {
  const { RDONLY, DIRECTORY } = host.OpenFlag;
  const fd = host.unwrap(host.open("/proc/self/fd", RDONLY | DIRECTORY), "open", "/proc/self/fd");
  const buffer = new Uint8Array(65536);
  const decoder = new TextDecoder();
  let count = 0;
  for (let size = host.getdents(fd, buffer); size > 0; size = host.getdents(fd, buffer)) {
    const view = new DataView(buffer.buffer);
    for (let offset = 0; offset < size; offset += view.getUint16(offset + 16, true)) {
      const end = buffer.indexOf(0, offset + 19);
      const target = host.readlinkAt(fd, decoder.decode(buffer.subarray(offset + 19, end)));
      if (typeof target !== "number" && decoder.decode(target).startsWith(path)) count++;
    }
  }
  host.close(fd);
  return count;
}
