import assert from "node:assert/strict";
import { FormatError } from "#src/errors.ts";
import { PRELUDE_SIZE_MAX } from "#src/pxar/format/limits.ts";
import {
  memoryEntry,
  PxarAccessor,
  PxarDecoder,
  type PxarEvent,
  verifyArchive,
} from "#src/pxar/mod.ts";
import { buildArchive, DIRECTORY, FILE, metadataOf, SYMLINK } from "#tests/support/pxar_builder.ts";
import { MemorySource, sequentialBytes } from "#tests/support/pxar_fixtures.ts";

const text = (value: string) => new TextEncoder().encode(value);

function sample(isSplit: boolean) {
  return buildArchive(
    (encoder) => {
      const xattrs = [{ name: "user.a", value: text("value") }];
      const first = encoder.add("a", memoryEntry(metadataOf(0o100600, { xattrs }), text("first")));
      encoder.add("d", { kind: "directory", metadata: DIRECTORY });
      encoder.add("h", { kind: "hardlink", targetPath: "a", target: first });
      encoder.add("s", { kind: "symlink", metadata: SYMLINK, target: "../a" });
      encoder.finishDirectory();
      encoder.add("z", memoryEntry(FILE, text("last")));
    },
    isSplit,
    isSplit ? { prelude: text("{}") } : {},
  );
}

function eventsOf(decoder: PxarDecoder): PxarEvent[] {
  const events = [];
  const target = new Uint8Array(3);
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
    events.push(event);
    while (decoder.readContent(target) > 0);
  }
  return events;
}

Deno.test("PxarDecoder tells version, prelude, entries and the ends of directories", () => {
  const { metadata, payload } = sample(true);
  const decoder = new PxarDecoder(sequentialBytes(metadata), {
    payload: sequentialBytes(payload!),
  });
  const told = eventsOf(decoder).map((event) => {
    if (event.type === "version") return event.version;
    if (event.type === "prelude") return new TextDecoder().decode(event.bytes);
    return `${event.type} ${event.path}`;
  });
  assert.deepEqual(told, [
    2,
    "{}",
    "entry /",
    "entry /a",
    "entry /d",
    "entry /d/h",
    "entry /d/s",
    "leave /d",
    "entry /z",
    "leave /",
  ]);
});

Deno.test("PxarDecoder.readContent needs the payload stream, listing does not", () => {
  const { metadata } = sample(true);
  const decoder = new PxarDecoder(sequentialBytes(metadata), { name: "x.mpxar" });
  let count = 0;
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
    count++;
    if (event.type !== "entry" || event.entry.kind !== "file") continue;
    assert.throws(() => decoder.readContent(new Uint8Array(1)), {
      code: "missing-payload",
      path: "x.mpxar",
    });
  }
  assert.equal(count, 10);
});

Deno.test("PxarDecoder.readContent may stop anywhere", () => {
  for (const isSplit of [false, true]) {
    const { metadata, payload } = sample(isSplit);
    const decoder = new PxarDecoder(
      sequentialBytes(metadata),
      payload === undefined ? {} : { payload: sequentialBytes(payload) },
    );
    const contents = [];
    for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
      if (event.type !== "entry" || event.entry.kind !== "file") continue;
      const target = new Uint8Array(2);
      const count = decoder.readContent(target);
      contents.push(new TextDecoder().decode(target.subarray(0, count)));
      assert.equal(decoder.readContent(new Uint8Array()), 0);
      if (contents.length === 1) decoder.skipContent();
    }
    assert.deepEqual(contents, ["fi", "la"]);
  }
});

/** Lists all directories of an archive, from the root on. */
function listAll(accessor: PxarAccessor, directory = accessor.root): void {
  for (const child of accessor.readDirectory(directory)) {
    if (child.table !== undefined) listAll(accessor, child);
  }
}

Deno.test("PxarDecoder.next fails in the same way again", () => {
  const { metadata } = sample(false);
  const decoder = new PxarDecoder(sequentialBytes(metadata.subarray(0, 100)));
  decoder.next();
  assert.throws(() => decoder.next(), { code: "truncated" });
  assert.throws(() => decoder.next(), { code: "truncated" });
});

Deno.test("PxarDecoder reads an archive behind which the pipe goes on", () => {
  const { metadata } = sample(false);
  const longer = new Uint8Array(metadata.length + 100).fill(1);
  longer.set(metadata);
  assert.equal(eventsOf(new PxarDecoder(sequentialBytes(longer))).length, 8);
});

Deno.test("PxarDecoder, PxarAccessor and verifyArchive see every place where an archive is cut off", () => {
  for (const isSplit of [false, true]) {
    const { metadata, payload } = sample(isSplit);
    for (let size = 0; size < metadata.length; size++) {
      const cut = metadata.subarray(0, size);
      const decoder = new PxarDecoder(
        sequentialBytes(cut, 5),
        payload === undefined ? {} : { payload: sequentialBytes(payload) },
      );
      assert.throws(() => eventsOf(decoder), { code: "truncated" }, `${size}`);
      const options = payload === undefined ? {} : { payload: new MemorySource(payload) };
      // Without the tables at its end it gives what it finds, and says then that there may be more.
      assert.throws(
        () => listAll(PxarAccessor.open(new MemorySource(cut), options)),
        { code: "truncated" },
        `${size}`,
      );
      const findings = [...verifyArchive(new MemorySource(cut), options)];
      assert.equal(findings.at(-1)!.code, "truncated", `${size}`);
    }
  }
});

Deno.test("PxarDecoder sees every place where a payload stream is cut off", () => {
  const { metadata, payload } = sample(true);
  // The tail marker is not looked at by readers, only by verification.
  for (let size = 0; size < payload!.length; size++) {
    const cut = payload!.subarray(0, size);
    const decoder = new PxarDecoder(sequentialBytes(metadata), { payload: sequentialBytes(cut) });
    const isContentCut = size < payload!.length - 16;
    if (isContentCut) assert.throws(() => eventsOf(decoder), { code: "truncated" }, `${size}`);
    else eventsOf(decoder);
    const options = { payload: new MemorySource(cut) };
    const [finding] = [...verifyArchive(new MemorySource(metadata), options)];
    assert.equal(finding!.code, isContentCut ? "truncated" : "missing-tail", `${size}`);
  }
});

Deno.test("PxarDecoder refuses directories that are too deep", () => {
  const depth = 5000;
  const filename = Uint8Array.fromHex("b3173906211170161200000000000000" + "6400");
  const { metadata } = buildArchive(() => {});
  const entry = metadata.subarray(0, 56);
  const bytes = new Uint8Array(entry.length + depth * (filename.length + entry.length));
  bytes.set(entry);
  for (let i = 0; i < depth; i++) {
    bytes.set(filename, entry.length + i * (filename.length + entry.length));
    bytes.set(entry, entry.length + i * (filename.length + entry.length) + filename.length);
  }
  assert.throws(() => eventsOf(new PxarDecoder(sequentialBytes(bytes))), { code: "deep-nesting" });
});

Deno.test("PxarDecoder does not allocate what an item declares", () => {
  const bytes = new Uint8Array(24 + 16);
  // FORMAT_VERSION 2 and a PRELUDE that says 4 MiB.
  bytes.set(Uint8Array.fromHex("0da416df756c0f73" + "1800000000000000" + "0200000000000000"));
  bytes.set(Uint8Array.fromHex("1b777b9f9dd709e3" + "1000400000000000"), 24);
  let largest = 0;
  const source = sequentialBytes(bytes);
  const decoder = new PxarDecoder({
    read: (target) => {
      largest = Math.max(largest, target.length);
      return source.read(target);
    },
    skip: (size) => source.skip(size),
  });
  decoder.next();
  assert.throws(() => decoder.next(), (error) => {
    return error instanceof FormatError && error.code === "truncated";
  });
  assert.ok(largest <= 1 << 20, `${largest}`);
});

Deno.test("PxarDecoder and PxarAccessor refuse a prelude that is a little too large", () => {
  const entry = buildArchive(() => {}).metadata.subarray(0, 56);
  const version = Uint8Array.fromHex("0da416df756c0f73" + "1800000000000000" + "0200000000000000");
  const archive = (declaredSize: number, content: number) => {
    const header = Uint8Array.fromHex("1b777b9f9dd709e3" + "0000000000000000");
    new DataView(header.buffer).setBigUint64(8, BigInt(16 + declaredSize), true);
    return new Uint8Array([...version, ...header, ...new Uint8Array(content), ...entry]);
  };
  const read = (bytes: Uint8Array) => () => eventsOf(new PxarDecoder(sequentialBytes(bytes)));
  const open = (bytes: Uint8Array) => () =>
    PxarAccessor.open(new MemorySource(bytes), { payload: new MemorySource(new Uint8Array(16)) });
  const isRefused = (code: string) => (error: unknown) =>
    error instanceof FormatError && error.code === code;
  for (const reading of [read, open]) {
    // One byte beyond what is accepted, all of it there.
    const large = archive(PRELUDE_SIZE_MAX + 1, PRELUDE_SIZE_MAX + 1);
    assert.throws(reading(large), isRefused("bad-size"));
    // One byte beyond the end of the archive.
    assert.throws(reading(archive(10 + 56 + 1, 10)), isRefused("truncated"));
  }
});
