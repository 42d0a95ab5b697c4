import assert from "node:assert/strict";
import { IntegrityError, LimitError, UsageError } from "#src/errors.ts";
import {
  memoryEntry,
  type NewFile,
  PxarAccessor,
  type PxarContent,
  PxarDecoder,
  PxarEncoder,
  pxarMetadata,
} from "#src/pxar/mod.ts";
import { NO_ACL } from "#src/bytes/acl.ts";
import type { Timestamp } from "#src/tree/metadata.ts";
import { buildArchive, DIRECTORY, FILE, metadataOf, SYMLINK } from "#tests/support/pxar_builder.ts";
import {
  CHECK_PXAR,
  MemorySink,
  MemorySource,
  sequentialBytes,
} from "#tests/support/pxar_fixtures.ts";

const text = (value: string) => new TextEncoder().encode(value);

/** A file of which `readAt` gives the bytes. */
function fileOf(size: number, readAt: PxarContent["readAt"], fd?: number): NewFile {
  return { kind: "file", metadata: FILE, size, open: () => ({ readAt, fd }) };
}

Deno.test("PxarEncoder gathers 10,000 files into few writes", () => {
  const sink = new MemorySink();
  const encoder = new PxarEncoder(sink, { root: DIRECTORY });
  for (let i = 0; i < 10_000; i++) encoder.add(`f${i}`, memoryEntry(FILE, new Uint8Array(100)));
  encoder.finish();
  assert.ok(sink.writeCount < 20, `${sink.writeCount}`);
});

Deno.test("PxarEncoder keeps nothing of a large content", () => {
  const size = 64 << 20;
  let written = 0;
  let largest = 0;
  const encoder = new PxarEncoder({
    write: (bytes) => {
      written += bytes.length;
      largest = Math.max(largest, bytes.length);
    },
  }, { root: DIRECTORY });
  encoder.add("large", fileOf(size, (target) => Math.min(target.length, 100_000)));
  assert.equal(encoder.finish().metadataSize, written);
  assert.ok(largest <= 1 << 20);
});

Deno.test("PxarEncoder.add() refuses a content that ends too early, and then everything", () => {
  const encoder = new PxarEncoder(new MemorySink(), { root: DIRECTORY });
  assert.throws(() => encoder.add("a", fileOf(5, () => 0)), IntegrityError);
  assert.throws(() => encoder.add("b", memoryEntry(FILE, new Uint8Array())), UsageError);
  assert.throws(() => encoder.finish(), UsageError);
});

Deno.test("PxarEncoder.add() refuses reads that return nonsense", () => {
  for (const count of [-1, 1.5, NaN, 10 ** 9]) {
    const encoder = new PxarEncoder(new MemorySink(), { root: DIRECTORY });
    assert.throws(() => encoder.add("a", fileOf(5, () => count)), Error);
  }
});

Deno.test("PxarEncoder refuses what it must not write and can go on", () => {
  const encoder = new PxarEncoder(new MemorySink(), { root: DIRECTORY });
  assert.throws(() => encoder.add("a", memoryEntry(SYMLINK, new Uint8Array())), UsageError);
  assert.throws(() => encoder.add("a", fileOf(-1, () => 0)), UsageError);
  assert.throws(() => encoder.add("a/b", memoryEntry(FILE, new Uint8Array())), UsageError);
  assert.throws(() => encoder.add("..", memoryEntry(FILE, new Uint8Array())), UsageError);
  assert.throws(
    () => encoder.add("a", { kind: "symlink", metadata: SYMLINK, target: "n\0" }),
    UsageError,
  );
  assert.throws(
    () => encoder.add("a", { kind: "hardlink", targetPath: "../b", target: 56 }),
    UsageError,
  );
  assert.throws(
    () => encoder.add("a", { kind: "hardlink", targetPath: "b", target: 10_000 }),
    UsageError,
  );
  assert.throws(
    () => encoder.add("a", { kind: "reference", metadata: FILE, size: 5, payloadOffset: 16 }),
    UsageError,
  );
  assert.throws(() => encoder.advancePayload(5), UsageError);
  assert.throws(() => encoder.finishDirectory(), UsageError);
  encoder.add("d", { kind: "directory", metadata: DIRECTORY });
  assert.throws(() => encoder.finish(), UsageError);
  encoder.finishDirectory();
  encoder.finish();
  assert.throws(() => encoder.add("a", memoryEntry(FILE, new Uint8Array())), UsageError);
});

Deno.test("PxarEncoder of a split archive can go on after a bad name", () => {
  const encoder = new PxarEncoder(new MemorySink(), {
    root: DIRECTORY,
    payload: new MemorySink(),
  });
  assert.throws(() => encoder.add("a/b", memoryEntry(FILE, new Uint8Array(3))), UsageError);
  assert.throws(
    () => encoder.add("a/b", { kind: "reference", metadata: FILE, size: 3, payloadOffset: 1000 }),
    UsageError,
  );
  encoder.add("a", memoryEntry(FILE, new Uint8Array(3)));
  encoder.finish();
});

Deno.test("PxarEncoder refuses metadata that the format cannot hold", () => {
  const bad = [
    { mode: 0o300644 },
    { uid: -1 },
    { gid: 2 ** 32 },
    { mtime: { seconds: 0.5, nanoseconds: 0 } },
    { mtime: { seconds: 0, nanoseconds: 1_000_000_000 } },
    { xattrs: [{ name: "", value: new Uint8Array() }] },
    { fcaps: new Uint8Array(70_000) },
    { flags: -1n },
    { projectId: 1n << 64n },
    { acl: { ...NO_ACL, users: [{ id: 1n, permissions: 8n }] } },
    { acl: { ...NO_ACL, defaultGroups: [{ id: 1n << 32n, permissions: 7n }] } },
    { acl: { ...NO_ACL, groupObject: -1n } },
  ];
  for (const more of bad) {
    const encoder = new PxarEncoder(new MemorySink(), { root: DIRECTORY });
    const metadata = { ...FILE, ...more };
    assert.throws(() => encoder.add("a", memoryEntry(metadata, new Uint8Array())), UsageError);
  }
  for (const [major, minor] of [[1n << 32n, 0n], [0n, -1n]] as const) {
    const encoder = new PxarEncoder(new MemorySink(), { root: DIRECTORY });
    assert.throws(
      () => encoder.add("a", { kind: "device", metadata: metadataOf(0o020600), major, minor }),
      UsageError,
    );
  }
  assert.throws(() => new PxarEncoder(new MemorySink(), { root: FILE }), UsageError);
  const prelude = new Uint8Array(1);
  assert.throws(() => new PxarEncoder(new MemorySink(), { root: DIRECTORY, prelude }), UsageError);
});

Deno.test("PxarEncoder.add() ends at a depth that can be read", () => {
  const metadata = new MemorySink();
  const encoder = new PxarEncoder(metadata, { root: DIRECTORY });
  let depth = 0;
  try {
    for (; depth < 10_000; depth++) encoder.add("d", { kind: "directory", metadata: DIRECTORY });
  } catch (error) {
    assert.ok(error instanceof LimitError);
  }
  const { metadata: bytes } = buildArchive((again) => {
    for (let i = 0; i < depth; i++) again.add("d", { kind: "directory", metadata: DIRECTORY });
    for (let i = 0; i < depth; i++) again.finishDirectory();
  });
  const decoder = new PxarDecoder(sequentialBytes(bytes));
  let seen = 0;
  while (decoder.next() !== undefined) seen++;
  assert.equal(seen, 2 * (depth + 1));
  const accessor = PxarAccessor.open(new MemorySource(bytes));
  assert.equal(accessor.lookup("/d".repeat(depth))?.entry.kind, "directory");
});

Deno.test("PxarEncoder refuses paths that are too long to be read", () => {
  const name = "n".repeat(255);
  const { metadata } = buildArchive((encoder) => {
    for (let i = 0; i < 127; i++) encoder.add(name, { kind: "directory", metadata: DIRECTORY });
    // 127 × 256 bytes are taken.
    encoder.add("f".repeat(255), memoryEntry(FILE, new Uint8Array()));
    assert.throws(
      () => encoder.add("f".repeat(256), memoryEntry(FILE, new Uint8Array())),
      LimitError,
    );
    for (let i = 0; i < 127; i++) encoder.finishDirectory();
  });
  const decoder = new PxarDecoder(sequentialBytes(metadata));
  while (decoder.next() !== undefined);
});

/**
 * A sink that can copy up to `copyMax` bytes of a "descriptor" whose byte at offset n is n modulo
 * 251.
 */
class CopyingSink extends MemorySink {
  copied = 0;
  readonly #copyMax: number;

  constructor(copyMax: number) {
    super();
    this.#copyMax = copyMax;
  }

  copyFrom(fd: number, offset: number, size: number): number {
    assert.equal(fd, 42);
    const count = Math.min(size, 30_000, this.#copyMax - this.copied);
    this.write(Uint8Array.from({ length: count }, (_, i) => (offset + i) % 251));
    this.copied += count;
    return count;
  }
}

Deno.test("PxarEncoder.add() lets the sink copy and reads the rest", () => {
  const size = 2_000_000;
  const content = Uint8Array.from({ length: size }, (_, i) => i % 251);
  const { metadata: expected } = buildArchive((encoder) => {
    encoder.add("a", memoryEntry(FILE, text("abc")));
    encoder.add("b", memoryEntry(FILE, content));
    encoder.add("c", memoryEntry(FILE, text("abc")));
  });
  for (const copyMax of [0, 100_000, size]) {
    const sink = new CopyingSink(copyMax);
    const encoder = new PxarEncoder(sink, { root: DIRECTORY });
    encoder.add("a", memoryEntry(FILE, text("abc")));
    const copied: number[] = [];
    let [position, isClosed] = [0, false];
    encoder.add("b", {
      kind: "file",
      metadata: FILE,
      size,
      open: () => ({
        fd: 42,
        readAt: (target, offset) => {
          assert.equal(offset, position === 0 ? copyMax : position);
          const part = content.subarray(offset, offset + target.length);
          target.set(part);
          position = offset + part.length;
          return part.length;
        },
        onCopied: (offset) => copied.push(offset),
        close: () => isClosed = true,
      }),
    });
    assert.ok(isClosed);
    assert.equal(copied.at(-1) ?? 0, copyMax);
    encoder.add("c", memoryEntry(FILE, text("abc")));
    encoder.finish();
    assert.deepEqual(sink.bytes(), expected);
    assert.equal(sink.copied, copyMax);
  }
});

Deno.test("PxarEncoder.add() fails when nobody has the bytes, and closes the content", () => {
  const encoder = new PxarEncoder(new CopyingSink(10), { root: DIRECTORY });
  let isClosed = false;
  const open = () => ({ fd: 42, readAt: () => 0, close: () => isClosed = true });
  const file = { kind: "file", metadata: FILE, size: 2_000_000, open } as const;
  assert.throws(() => encoder.add("a", file), IntegrityError);
  assert.ok(isClosed);
});

Deno.test("PxarEncoder.add() gathers small files", () => {
  const sink = new CopyingSink(10);
  const encoder = new PxarEncoder(sink, { root: DIRECTORY });
  const file = fileOf(10, (target) => target.fill(7).length, 42);
  for (let i = 0; i < 100; i++) encoder.add(`f${i}`, file);
  encoder.finish();
  assert.equal(sink.copied, 0);
  assert.equal(sink.writeCount, 1);
});

/** An archive of which a part of the payload is injected, as change detection does. */
function buildReused() {
  const metadata = new MemorySink();
  const payload = new MemorySink();
  const encoder = new PxarEncoder(metadata, { root: DIRECTORY, payload });
  assert.equal(encoder.payloadPosition, 16);
  encoder.add("a", memoryEntry(FILE, text("new")));
  assert.equal(encoder.payloadPosition, 35);
  const padding = 7;
  assert.throws(() => encoder.advancePayload(5), UsageError);
  encoder.add("b", {
    kind: "reference",
    metadata: FILE,
    size: 4,
    payloadOffset: encoder.payloadPosition + padding,
  });
  encoder.flush();
  const { payload: other } = buildArchive(
    (old) => old.add("b", memoryEntry(FILE, text("same"))),
    true,
  );
  const chunk = new Uint8Array(padding + 20 + 5);
  chunk.set(other!.subarray(16, 36), padding);
  payload.write(chunk);
  encoder.advancePayload(chunk.length);
  assert.equal(encoder.payloadPosition, 35 + chunk.length);
  encoder.add("c", memoryEntry(FILE, text("again")));
  const sizes = encoder.finish();
  assert.equal(sizes.payloadSize, payload.bytes().length);
  return { metadata: metadata.bytes(), payload: payload.bytes() };
}

Deno.test("PxarEncoder.add() of a reference refers to payload that the caller puts there", () => {
  const { metadata, payload } = buildReused();
  const decoder = new PxarDecoder(sequentialBytes(metadata), { payload: sequentialBytes(payload) });
  const contents = [];
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
    if (event.type !== "entry" || event.entry.kind !== "file") continue;
    const target = new Uint8Array(100);
    contents.push(new TextDecoder().decode(target.subarray(0, decoder.readContent(target))));
  }
  assert.deepEqual(contents, ["new", "same", "again"]);
});

Deno.test("PxarEncoder refuses payload that overlaps, goes backwards or never comes", () => {
  const encoder = new PxarEncoder(new MemorySink(), {
    root: DIRECTORY,
    payload: new MemorySink(),
  });
  encoder.add("a", memoryEntry(FILE, text("abc")));
  for (const offset of [0, 16, 34]) {
    assert.throws(
      () => encoder.add("b", { kind: "reference", metadata: FILE, size: 3, payloadOffset: offset }),
      UsageError,
    );
  }
  encoder.add("b", { kind: "reference", metadata: FILE, size: 3, payloadOffset: 40 });
  assert.throws(
    () => encoder.add("c", { kind: "reference", metadata: FILE, size: 3, payloadOffset: 40 }),
    UsageError,
  );
  assert.throws(() => encoder.add("c", memoryEntry(FILE, text("abc"))), UsageError);
  encoder.flush();
  encoder.advancePayload(10);
  assert.throws(() => encoder.finish(), UsageError);
  encoder.advancePayload(20);
  encoder.finish();
});

if (CHECK_PXAR !== undefined) {
  const checker = CHECK_PXAR;
  Deno.test("PxarEncoder writes what the independent checker accepts", async () => {
    const everything = (encoder: PxarEncoder) => {
      const first = encoder.add("a", memoryEntry(FILE, text("abc")));
      encoder.add("d", {
        kind: "directory",
        metadata: metadataOf(0o41777, {
          flags: 0x410000n,
          acl: {
            users: [{ id: 7n, permissions: 4n }, { id: 5n, permissions: 6n }],
            groups: [{ id: 9n, permissions: 1n }],
            groupObject: 5n,
            default: { userObject: 7n, groupObject: 5n, other: undefined, mask: 7n },
            defaultUsers: [{ id: 1n, permissions: 2n }],
            defaultGroups: [{ id: 3n, permissions: 0n }],
          },
          projectId: 12n,
        }),
      });
      for (let i = 0; i < 500; i++) {
        encoder.add(`l${String(i).padStart(3, "0")}`, {
          kind: "hardlink",
          targetPath: "a",
          target: first,
        });
      }
      encoder.finishDirectory();
      encoder.add("dev", {
        kind: "device",
        metadata: metadataOf(0o20600),
        major: 4095n,
        minor: 0xfffffn,
      });
      encoder.add("fifo", { kind: "fifo", metadata: metadataOf(0o10600) });
      encoder.add(
        "g",
        memoryEntry(
          metadataOf(0o104755, {
            mtime: { seconds: -2, nanoseconds: 500_000_000 },
            xattrs: [{ name: "user.z", value: new Uint8Array(65_536) }],
            fcaps: new Uint8Array(20),
          }),
          new Uint8Array(),
        ),
      );
      encoder.add("sock", { kind: "socket", metadata: metadataOf(0o140755) });
      encoder.add("\udcff", { kind: "symlink", metadata: SYMLINK, target: "to/\udcfe" });
    };
    const directory = Deno.makeTempDirSync({ prefix: "pbkfs-pxar-" });
    try {
      const prelude = text("{}");
      const plain = buildArchive(everything);
      const split = buildArchive(everything, true, { prelude });
      const reused = buildReused();
      Deno.writeFileSync(`${directory}/plain.pxar`, plain.metadata);
      Deno.writeFileSync(`${directory}/split.mpxar`, split.metadata);
      Deno.writeFileSync(`${directory}/split.ppxar`, split.payload!);
      Deno.writeFileSync(`${directory}/reused.mpxar`, reused.metadata);
      Deno.writeFileSync(`${directory}/reused.ppxar`, reused.payload);
      for (const name of ["plain.pxar", "split.mpxar", "reused.mpxar"]) {
        // Padding between payloads cannot be written again from the entries.
        const options = name === "reused.mpxar" ? ["--no-reencode"] : [];
        const { code, stdout } = await new Deno.Command("python3", {
          args: [checker, ...options, `${directory}/${name}`],
        }).output();
        assert.equal(code, 0, new TextDecoder().decode(stdout));
      }
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  });
}

Deno.test("PxarEncoder refuses a second entry of a name, in whichever order, and can go on", () => {
  const sink = new MemorySink();
  const encoder = new PxarEncoder(sink, { root: DIRECTORY });
  const add = (name: string) => encoder.add(name, memoryEntry(FILE, new Uint8Array()));
  const isRefused = (run: () => void) =>
    assert.throws(
      run,
      (error) => error instanceof UsageError && /of this name/.test(error.message),
    );
  const first = add("b");
  isRefused(() => add("b"));
  add("c");
  isRefused(() => encoder.add("c", { kind: "directory", metadata: DIRECTORY }));
  add("a");
  for (const name of ["a", "b", "c"]) {
    isRefused(() => add(name));
    isRefused(() => encoder.add(name, { kind: "directory", metadata: DIRECTORY }));
    isRefused(() => encoder.add(name, { kind: "symlink", metadata: SYMLINK, target: "x" }));
    isRefused(() => encoder.add(name, { kind: "hardlink", targetPath: "b", target: first }));
  }
  // Names of a directory are its own, also after another was inside.
  encoder.add("d", { kind: "directory", metadata: DIRECTORY });
  add("a");
  isRefused(() => add("a"));
  encoder.finishDirectory();
  isRefused(() => add("d"));
  add("é");
  // The same bytes, escaped one by one.
  isRefused(() => add("\udcc3\udca9"));
  add("\u{1F600}");
  add("\ufffd");
  isRefused(() => add("\u{1F600}"));
  encoder.finish();
  const accessor = PxarAccessor.open(new MemorySource(sink.bytes()));
  const names = [...accessor.readDirectory(accessor.root)].map(({ name }) => name);
  assert.deepEqual(names, ["b", "c", "a", "d", "é", "\u{1F600}", "\ufffd"]);
});

Deno.test("PxarEncoder looks at many names in any order once each", () => {
  // Comparing each with all others would take hours.
  const count = 300_000;
  const encoder = new PxarEncoder({ write() {} }, { root: DIRECTORY });
  for (let i = 0; i < count; i++) {
    encoder.add(`${i * 7919 % count}`, memoryEntry(FILE, new Uint8Array()));
  }
  assert.throws(() => encoder.add("0", memoryEntry(FILE, new Uint8Array())), UsageError);
  encoder.finish();
});

Deno.test("pxarMetadata() has the bits of the type, whatever mode is asked for", () => {
  assert.equal(pxarMetadata("directory").mode, 0o040755);
  assert.equal(pxarMetadata("file", { mode: 0o600 }).mode, 0o100600);
  assert.equal(pxarMetadata("block-device", { mode: 0o100640 }).mode, 0o060640);
  const types = ["symlink", "character-device", "fifo", "socket"] as const;
  assert.deepEqual(types.map((it) => pxarMetadata(it).mode), [
    0o120777,
    0o020600,
    0o010644,
    0o140755,
  ]);
  const time: Timestamp = { seconds: 5, nanoseconds: 6 };
  const { uid, gid, mtime, xattrs } = pxarMetadata("file", { uid: 33, mtime: time });
  assert.deepEqual([uid, gid, mtime, xattrs], [33, 0, time, []]);
  assert.deepEqual(pxarMetadata("file").mtime, { seconds: 0, nanoseconds: 0 });
});
