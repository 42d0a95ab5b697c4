import assert from "node:assert/strict";
import { IntegrityError, LimitError, UsageError } from "#src/errors.ts";
import { NO_ACL, PxarAccessor, PxarDecoder, PxarEncoder } from "#src/pxar/mod.ts";
import { buildArchive, DIRECTORY, FILE, metadataOf, SYMLINK } from "#tests/support/pxar_builder.ts";
import {
  CHECK_PXAR,
  MemorySink,
  MemorySource,
  sequentialBytes,
} from "#tests/support/pxar_fixtures.ts";

const text = (value: string) => new TextEncoder().encode(value);

Deno.test("PxarEncoder gathers 10,000 files into few writes", () => {
  const sink = new MemorySink();
  const encoder = new PxarEncoder(sink, { root: DIRECTORY });
  for (let i = 0; i < 10_000; i++) encoder.addFile(`f${i}`, FILE, 100, new Uint8Array(100));
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
  let left = size;
  encoder.addFile("large", FILE, size, {
    read: (target) => {
      const count = Math.min(left, target.length, 100_000);
      left -= count;
      return count;
    },
  });
  assert.equal(encoder.finish().metadataSize, written);
  assert.ok(largest <= 1 << 20);
});

Deno.test("PxarEncoder.addFile refuses a content that ends too early, and then everything", () => {
  const encoder = new PxarEncoder(new MemorySink(), { root: DIRECTORY });
  assert.throws(() => encoder.addFile("a", FILE, 5, { read: () => 0 }), IntegrityError);
  assert.throws(() => encoder.addFile("b", FILE, 0, new Uint8Array()), UsageError);
  assert.throws(() => encoder.finish(), UsageError);
});

Deno.test("PxarEncoder.addFile refuses reads that return nonsense", () => {
  for (const count of [-1, 1.5, NaN, 10 ** 9]) {
    const encoder = new PxarEncoder(new MemorySink(), { root: DIRECTORY });
    assert.throws(() => encoder.addFile("a", FILE, 5, { read: () => count }), Error);
  }
});

Deno.test("PxarEncoder refuses what it must not write and can go on", () => {
  const encoder = new PxarEncoder(new MemorySink(), { root: DIRECTORY });
  assert.throws(() => encoder.addFile("a", SYMLINK, 0, new Uint8Array()), UsageError);
  assert.throws(() => encoder.addFile("a", FILE, 1, new Uint8Array()), UsageError);
  assert.throws(() => encoder.addFile("a", FILE, -1, { read: () => 0 }), UsageError);
  assert.throws(() => encoder.addFile("a/b", FILE, 0, new Uint8Array()), UsageError);
  assert.throws(() => encoder.addFile("..", FILE, 0, new Uint8Array()), UsageError);
  assert.throws(() => encoder.addSymlink("a", SYMLINK, "n\0"), UsageError);
  assert.throws(() => encoder.addHardlink("a", "../b", 56), UsageError);
  assert.throws(() => encoder.addHardlink("a", "b", 10_000), UsageError);
  assert.throws(() => encoder.addPayloadReference("a", FILE, 5, 16), UsageError);
  assert.throws(() => encoder.advancePayload(5), UsageError);
  assert.throws(() => encoder.finishDirectory(), UsageError);
  encoder.startDirectory("d", DIRECTORY);
  assert.throws(() => encoder.finish(), UsageError);
  encoder.finishDirectory();
  encoder.finish();
  assert.throws(() => encoder.addFile("a", FILE, 0, new Uint8Array()), UsageError);
});

Deno.test("PxarEncoder of a split archive can go on after a bad name", () => {
  const encoder = new PxarEncoder(new MemorySink(), {
    root: DIRECTORY,
    payload: new MemorySink(),
  });
  assert.throws(() => encoder.addFile("a/b", FILE, 3, new Uint8Array(3)), UsageError);
  assert.throws(() => encoder.addPayloadReference("a/b", FILE, 3, 1000), UsageError);
  encoder.addFile("a", FILE, 3, new Uint8Array(3));
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
    assert.throws(() => encoder.addFile("a", metadata, 0, new Uint8Array()), UsageError);
  }
  for (const [major, minor] of [[1n << 32n, 0n], [0n, -1n]] as const) {
    const encoder = new PxarEncoder(new MemorySink(), { root: DIRECTORY });
    assert.throws(() => encoder.addDevice("a", metadataOf(0o020600), major, minor), UsageError);
  }
  assert.throws(() => new PxarEncoder(new MemorySink(), { root: FILE }), UsageError);
  const prelude = new Uint8Array(1);
  assert.throws(() => new PxarEncoder(new MemorySink(), { root: DIRECTORY, prelude }), UsageError);
});

Deno.test("PxarEncoder.startDirectory ends at a depth that can be read", () => {
  const metadata = new MemorySink();
  const encoder = new PxarEncoder(metadata, { root: DIRECTORY });
  let depth = 0;
  try {
    for (; depth < 10_000; depth++) encoder.startDirectory("d", DIRECTORY);
  } catch (error) {
    assert.ok(error instanceof LimitError);
  }
  const { metadata: bytes } = buildArchive((again) => {
    for (let i = 0; i < depth; i++) again.startDirectory("d", DIRECTORY);
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
    for (let i = 0; i < 127; i++) encoder.startDirectory(name, DIRECTORY);
    // 127 × 256 bytes are taken.
    encoder.addFile("f".repeat(255), FILE, 0, new Uint8Array());
    assert.throws(() => encoder.addFile("f".repeat(256), FILE, 0, new Uint8Array()), LimitError);
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

Deno.test("PxarEncoder.addFileFromFd lets the sink copy and reads the rest", () => {
  const size = 200_000;
  const content = Uint8Array.from({ length: size }, (_, i) => (1000 + i) % 251);
  const { metadata: expected } = buildArchive((encoder) => {
    encoder.addFile("a", FILE, 3, text("abc"));
    encoder.addFile("b", FILE, size, content);
    encoder.addFile("c", FILE, 3, text("abc"));
  });
  for (const copyMax of [0, 100_000, size]) {
    const sink = new CopyingSink(copyMax);
    const encoder = new PxarEncoder(sink, { root: DIRECTORY });
    encoder.addFile("a", FILE, 3, text("abc"));
    encoder.addFileFromFd("b", FILE, size, 42, 1000, (taken) => {
      assert.equal(taken, copyMax);
      let done = taken;
      return {
        read: (target) => {
          const part = content.subarray(done, done + target.length);
          target.set(part);
          done += part.length;
          return part.length;
        },
      };
    });
    encoder.addFile("c", FILE, 3, text("abc"));
    encoder.finish();
    assert.deepEqual(sink.bytes(), expected);
    assert.equal(sink.copied, copyMax);
  }
});

Deno.test("PxarEncoder.addFileFromFd fails when nobody has the bytes", () => {
  const encoder = new PxarEncoder(new CopyingSink(10), { root: DIRECTORY });
  assert.throws(() => encoder.addFileFromFd("a", FILE, 11, 42, 0), IntegrityError);
});

Deno.test("PxarEncoder.addFileFromFd gathers small files", () => {
  const sink = new CopyingSink(10);
  const encoder = new PxarEncoder(sink, { root: DIRECTORY });
  const rest = () => ({
    read: (target: Uint8Array) => target.fill(7).length,
  });
  for (let i = 0; i < 100; i++) encoder.addFileFromFd(`f${i}`, FILE, 10, 42, 0, rest);
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
  encoder.addFile("a", FILE, 3, text("new"));
  assert.equal(encoder.payloadPosition, 35);
  const padding = 7;
  assert.throws(() => encoder.advancePayload(5), UsageError);
  encoder.addPayloadReference("b", FILE, 4, encoder.payloadPosition + padding);
  encoder.flush();
  const { payload: other } = buildArchive((old) => old.addFile("b", FILE, 4, text("same")), true);
  const chunk = new Uint8Array(padding + 20 + 5);
  chunk.set(other!.subarray(16, 36), padding);
  payload.write(chunk);
  encoder.advancePayload(chunk.length);
  assert.equal(encoder.payloadPosition, 35 + chunk.length);
  encoder.addFile("c", FILE, 5, text("again"));
  const sizes = encoder.finish();
  assert.equal(sizes.payloadSize, payload.bytes().length);
  return { metadata: metadata.bytes(), payload: payload.bytes() };
}

Deno.test("PxarEncoder.addPayloadReference refers to payload that the caller puts there", () => {
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
  encoder.addFile("a", FILE, 3, text("abc"));
  for (const offset of [0, 16, 34]) {
    assert.throws(() => encoder.addPayloadReference("b", FILE, 3, offset), UsageError);
  }
  encoder.addPayloadReference("b", FILE, 3, 40);
  assert.throws(() => encoder.addPayloadReference("c", FILE, 3, 40), UsageError);
  assert.throws(() => encoder.addFile("c", FILE, 3, text("abc")), UsageError);
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
      const first = encoder.addFile("a", FILE, 3, text("abc"));
      encoder.startDirectory(
        "d",
        metadataOf(0o41777, {
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
      );
      for (let i = 0; i < 500; i++) {
        encoder.addHardlink(`l${String(i).padStart(3, "0")}`, "a", first);
      }
      encoder.finishDirectory();
      encoder.addDevice("dev", metadataOf(0o20600), 4095n, 0xfffffn);
      encoder.addFifo("fifo", metadataOf(0o10600));
      encoder.addFile(
        "g",
        metadataOf(0o104755, {
          mtime: { seconds: -2, nanoseconds: 500_000_000 },
          xattrs: [{ name: "user.z", value: new Uint8Array(65_536) }],
          fcaps: new Uint8Array(20),
        }),
        0,
        new Uint8Array(),
      );
      encoder.addSocket("sock", metadataOf(0o140755));
      encoder.addSymlink("\udcff", SYMLINK, "to/\udcfe");
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
  const add = (name: string) => encoder.addFile(name, FILE, 0, new Uint8Array());
  const isRefused = (run: () => void) =>
    assert.throws(
      run,
      (error) => error instanceof UsageError && /of this name/.test(error.message),
    );
  const first = add("b");
  isRefused(() => add("b"));
  add("c");
  isRefused(() => encoder.startDirectory("c", DIRECTORY));
  add("a");
  for (const name of ["a", "b", "c"]) {
    isRefused(() => add(name));
    isRefused(() => encoder.startDirectory(name, DIRECTORY));
    isRefused(() => encoder.addSymlink(name, SYMLINK, "x"));
    isRefused(() => encoder.addHardlink(name, "b", first));
  }
  // Names of a directory are its own, also after another was inside.
  encoder.startDirectory("d", DIRECTORY);
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
    encoder.addFile(`${i * 7919 % count}`, FILE, 0, new Uint8Array());
  }
  assert.throws(() => encoder.addFile("0", FILE, 0, new Uint8Array()), UsageError);
  encoder.finish();
});
