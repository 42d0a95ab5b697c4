import assert from "node:assert/strict";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import {
  openPxarTree,
  PxarAccessor,
  type PxarChild,
  PxarDecoder,
  PxarEncoder,
  type PxarLinkNode,
  type PxarNode,
  verifyArchive,
} from "#src/pxar/mod.ts";
import {
  describeEntry,
  describeExpected,
  MemorySink,
  MemorySource,
  type PxarFixture,
  pxarFixtures,
  sequentialBytes,
  textOfHex,
} from "#tests/support/pxar_fixtures.ts";
import { checkMountableTree } from "#tests/support/tree_conformance.ts";

function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return crypto.subtle.digest("SHA-256", bytes).then((digest) => new Uint8Array(digest).toHex());
}

function readBytes({ path, payloadPath }: PxarFixture) {
  return {
    metadata: Deno.readFileSync(path),
    payload: payloadPath === undefined ? undefined : Deno.readFileSync(payloadPath),
  };
}

function decoderOf(fixture: PxarFixture, pieceSize: number): PxarDecoder {
  const { metadata, payload } = readBytes(fixture);
  return new PxarDecoder(
    sequentialBytes(metadata, pieceSize),
    payload === undefined ? {} : { payload: sequentialBytes(payload, pieceSize) },
  );
}

function openAccessor(fixture: PxarFixture): PxarAccessor {
  const { metadata, payload } = readBytes(fixture);
  return PxarAccessor.open(
    new MemorySource(metadata),
    payload === undefined ? {} : { payload: new MemorySource(payload) },
  );
}

function readWhole(decoder: PxarDecoder, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size + 1);
  let done = 0;
  while (true) {
    const count = decoder.readContent(bytes.subarray(done));
    if (count === 0) return bytes.subarray(0, done);
    done += count;
  }
}

for (const fixture of pxarFixtures()) {
  const expected = fixture.entries.map(describeExpected);
  const digests = new Map(
    fixture.entries.map((entry) => [textOfHex(entry.path_hex), entry.sha256]),
  );

  Deno.test(`PxarDecoder returns exactly the entries of ${fixture.name}`, async () => {
    for (const pieceSize of [65_536, 7]) {
      if (pieceSize === 7 && fixture.name.startsWith("big")) continue;
      const decoder = decoderOf(fixture, pieceSize);
      const entries = [];
      const contents: [string, Uint8Array<ArrayBuffer>][] = [];
      const open: string[] = [];
      for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
        if (event.type === "leave") assert.equal(open.pop(), event.path);
        if (event.type !== "entry") continue;
        if (event.entry.kind === "directory") open.push(event.path);
        entries.push(describeEntry(event.path, event.entry));
        if (event.entry.kind !== "file") continue;
        contents.push([event.path, readWhole(decoder, event.entry.payload.size)]);
      }
      assert.deepEqual(entries, expected);
      assert.deepEqual(open, []);
      assert.equal(decoder.next(), undefined);
      for (const [path, bytes] of contents) assert.equal(await sha256(bytes), digests.get(path));
    }
  });

  Deno.test(`PxarDecoder passes over the contents of ${fixture.name}`, () => {
    const decoder = decoderOf(fixture, 1000);
    const paths = [];
    for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
      if (event.type === "entry") paths.push(event.path);
    }
    assert.deepEqual(paths, expected.map(({ path }) => path));
  });

  Deno.test(`PxarAccessor finds exactly the entries of ${fixture.name}`, async () => {
    const accessor = openAccessor(fixture);
    const entries: Record<string, unknown>[] = [];
    const contents: [string, Uint8Array<ArrayBuffer>][] = [];
    const visit = (path: string, child: PxarChild): void => {
      entries.push(describeEntry(path, child.entry));
      const node = child.entry.kind === "hardlink"
        ? accessor.resolveHardlink(child as PxarLinkNode)
        : child as PxarNode;
      assert.deepEqual(accessor.lookup(path), node, path);
      assert.deepEqual(accessor.lookupChild(path), child, path);
      if (node.entry.kind === "file") {
        const { size } = node.entry.payload;
        const target = plainBuffer(size);
        assert.equal(accessor.readContent(node, 0, target, 0, size + 10), size);
        contents.push([path, target.bytes]);
      }
      if (node.table === undefined) return;
      for (const next of accessor.readDirectory(node)) {
        visit(path === "/" ? `/${next.name}` : `${path}/${next.name}`, next);
      }
    };
    visit("/", accessor.root);
    assert.deepEqual(entries, expected);
    for (const [path, bytes] of contents) assert.equal(await sha256(bytes), digests.get(path));
    const paths = expected.map(({ path }) => path as string);
    assert.deepEqual(
      accessor.lookupAll(["/missing", ...paths]),
      [undefined, ...paths.map((path) => accessor.lookup(path))],
    );
    for (const path of paths) assert.equal(accessor.lookup(`${path}/no such name`), undefined);
  });

  if (fixture.isReproducible) {
    Deno.test(`PxarEncoder writes the bytes of ${fixture.name} again`, () => {
      const { metadata, payload } = readBytes(fixture);
      const copied = encodeAgain(decoderOf(fixture, 65_536), payload !== undefined);
      assert.ok(bytesEqual(copied.metadata, metadata));
      if (payload !== undefined) assert.ok(bytesEqual(copied.payload!, payload));
    });
  }

  Deno.test(`verifyArchive finds nothing wrong with ${fixture.name}`, () => {
    const { metadata, payload } = readBytes(fixture);
    const options = payload === undefined ? {} : { payload: new MemorySource(payload) };
    assert.deepEqual([...verifyArchive(new MemorySource(metadata), options)], []);
  });

  Deno.test(`openPxarTree shows ${fixture.name} as a tree`, () => {
    const { metadata, payload } = readBytes(fixture);
    checkMountableTree(() => {
      const options = payload === undefined ? {} : { payload: new MemorySource(payload) };
      return openPxarTree(new MemorySource(metadata), options);
    });
  });
}

function bytesEqual(first: Uint8Array, second: Uint8Array): boolean {
  return first.length === second.length && first.every((byte, index) => byte === second[index]);
}

/** Writes what a decoder reads. */
function encodeAgain(decoder: PxarDecoder, isSplit: boolean) {
  const metadata = new MemorySink();
  const payload = new MemorySink();
  const offsets = new Map<string, number>();
  let prelude: Uint8Array | undefined;
  let encoder: PxarEncoder | undefined;
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
    if (event.type === "prelude") prelude = event.bytes;
    if (event.type === "leave" && event.path !== "/") encoder!.finishDirectory();
    if (event.type !== "entry") continue;
    const { entry, name, path } = event;
    if (path === "/") {
      assert.ok(entry.kind === "directory");
      encoder = new PxarEncoder(metadata, {
        root: entry.metadata,
        ...(isSplit ? { payload } : {}),
        prelude,
      });
      continue;
    }
    if (entry.kind === "file") {
      const { metadata, payload: { size } } = entry;
      const open = () => ({ readAt: (target: Uint8Array) => decoder.readContent(target) });
      offsets.set(path, encoder!.add(name, { kind: "file", metadata, size, open }));
    } else if (entry.kind === "hardlink") {
      const { kind, targetPath } = entry;
      encoder!.add(name, { kind, targetPath, target: offsets.get(`/${targetPath}`)! });
    } else encoder!.add(name, entry);
  }
  const sizes = encoder!.finish();
  const result = {
    metadata: metadata.bytes(),
    payload: isSplit ? payload.bytes() : undefined,
  };
  assert.equal(sizes.metadataSize, result.metadata.length);
  assert.equal(sizes.payloadSize, result.payload?.length);
  return result;
}
