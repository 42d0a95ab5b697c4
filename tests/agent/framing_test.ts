import assert from "node:assert/strict";
import {
  decodeEntry,
  decodePage,
  encodeEntry,
  encodePage,
} from "#src/backup/client/entry_record.ts";
import { encodeFrame, type Frame, FrameKind, FrameSplitter } from "#src/agent/format/frame.ts";
import {
  commonVersion,
  decodeAgentHello,
  decodeHello,
  encodeHello,
} from "#src/agent/format/hello.ts";
import {
  type AgentRequest,
  decodeFailure,
  decodeHole,
  decodeRequest,
  decodeU32,
  encodeFailure,
  encodeHole,
  encodeRequest,
} from "#src/agent/format/request.ts";
import { FieldWriter } from "#src/bytes/fields.ts";
import type { ClientEntry, ClientPage } from "#src/backup/client/provider.ts";
import { NO_ACL } from "#src/bytes/acl.ts";
import { Failure } from "#src/errors.ts";
import { Random } from "#tests/support/property_random.ts";

/** Seeds of the tests that draw. */
const SEED_COUNT = 300;

const PLAIN: ClientEntry = {
  name: "plain",
  metadata: {
    mode: 0o100644,
    flags: 0n,
    uid: 1000,
    gid: 0xffff_ffff,
    mtime: { seconds: -5, nanoseconds: 999_999_999 },
    xattrs: [],
    acl: NO_ACL,
    fcaps: undefined,
    projectId: 0n,
  },
  linkCount: 1,
  ino: 2 ** 63,
  device: 65_024,
  sizeBytes: 2 ** 52 + 1,
  blocks: 8,
  rdev: 0,
  ctimeSeconds: undefined,
  target: undefined,
  openErrno: undefined,
  problems: [],
};

const FULL: ClientEntry = {
  ...PLAIN,
  name: "not\udcff-utf",
  metadata: {
    ...PLAIN.metadata,
    mode: 0o040750,
    flags: 0x8000_0000_0000_0011n,
    projectId: 77n,
    fcaps: new Uint8Array([1, 0, 0, 2]),
    xattrs: [
      { name: "user.empty", value: new Uint8Array() },
      { name: "user.x", value: new Uint8Array(70_000).fill(3) },
    ],
    acl: {
      users: [{ id: 1000n, permissions: 6n }],
      groups: [],
      groupObject: 4n,
      default: { userObject: 7n, groupObject: 5n, other: 0n, mask: undefined },
      defaultUsers: [],
      defaultGroups: [{ id: 5n, permissions: 1n }],
    },
  },
  rdev: 0xffff_ffff,
  ctimeSeconds: 1,
  target: "../somewhere",
  openErrno: 13,
  problems: [{ message: "Cannot read user.z: EIO", isTooLarge: false }],
};

const REQUESTS: readonly AgentRequest[] = [
  { kind: "stat", path: "/a\udcfe" },
  { kind: "list", path: "/", credit: 7 },
  { kind: "read", path: "/f", credit: 0xffff_ffff, offsetBytes: 2 ** 40 + 1, lengthBytes: "all" },
  { kind: "read", path: "/f", credit: 1, offsetBytes: 0, lengthBytes: 0 },
  { kind: "run", command: "true; false" },
];

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** The bytes of a page in the frames it takes, and back. */
function throughFrames(page: ClientPage): ClientPage[] {
  return encodePage(page, new FieldWriter()).map((payload) => decodePage(payload.slice()))
    .toArray();
}

Deno.test("Entries and parts of directories come out as they went in, with all they can have", () => {
  for (const entry of [PLAIN, FULL]) assert.deepEqual(decodeEntry(encodeEntry(entry)), entry);
  const page = {
    entries: [PLAIN, FULL],
    failures: [{ name: "gone", errno: 2 }],
    self: { entry: FULL, isPseudo: true },
  };
  const [first, second] = throughFrames(page);
  assert.deepEqual(first, { ...page, failures: [] });
  assert.deepEqual(second, { entries: [], failures: page.failures, self: undefined });
  // What is large travels in several frames, each entry once.
  const large = throughFrames({ entries: Array.from({ length: 10 }, () => FULL), failures: [] });
  assert.equal(large.length, 3);
  assert.deepEqual(large.flatMap(({ entries }) => entries).length, 10);
});

Deno.test("An entry with more attributes than a frame takes loses them, and says so", () => {
  const value = new Uint8Array(60_000);
  const xattrs = Array.from({ length: 40 }, (_, index) => ({ name: `user.${index}`, value }));
  const entry = { ...FULL, metadata: { ...FULL.metadata, xattrs } };
  const { metadata, problems } = decodeEntry(encodeEntry(entry));
  assert.deepEqual(metadata.xattrs, []);
  assert.deepEqual(metadata.fcaps, FULL.metadata.fcaps);
  assert.equal(problems[0]!.isTooLarge, true);
});

Deno.test("Frames are the same however their bytes arrive; requests and ends come out as they went in", () => {
  const frames = REQUESTS.map((request, index) => {
    const [type, payload] = encodeRequest(request);
    return encodeFrame(type, index + 1, payload);
  });
  const bytes = joined([...frames.flat(), ...encodeFrame(FrameKind.END, 9)]);
  for (const size of [1, 2, 9, 10, 11, 1000]) {
    const decoder = new FrameSplitter();
    const found: Frame[] = [];
    for (let start = 0; start < bytes.length; start += size) {
      found.push(...decoder.push(bytes.slice(start, start + size)));
    }
    assert.equal(decoder.isInside, false);
    assert.deepEqual(found.slice(0, -1).map(decodeRequest), REQUESTS);
    assert.deepEqual(found.map(({ requestId }) => requestId), [1, 2, 3, 4, 5, 9]);
    // Frames of one type may come in parts: the first one is of a frame, the others are its rest.
    const inParts = new FrameSplitter(undefined, FrameKind.READ);
    const parts: Frame[] = [];
    for (let start = 0; start < bytes.length; start += size) {
      parts.push(...inParts.push(bytes.slice(start, start + size)));
    }
    assert.deepEqual(parts.filter(({ isRest }) => !isRest).length, found.length);
    for (const { requestId, payload } of found) {
      const own = parts.filter((part) => part.requestId === requestId);
      assert.deepEqual(joined(own.map((part) => part.payload)), payload);
      assert.ok(own.length <= Math.ceil((payload.length + 10) / size) + 1);
    }
    assert.equal(inParts.isInside, false);
  }
  const failure = { errno: 13, code: "EACCES", message: "Cannot open" };
  assert.deepEqual(decodeFailure(encodeFailure(failure)), failure);
  assert.equal(decodeHole(encodeHole(2 ** 40)), 2 ** 40);
});

Deno.test("Greetings come out as they went in; what newer programs add is passed over", () => {
  const hello = {
    program: "pbkfs 1",
    versions: { min: 1, max: 3 },
    features: ["zstd", "of the future"],
    knownFields: ["mode"],
    mtimePrecisionNs: 1_000_000,
    uid: 0,
    gid: 5,
    roots: ["/srv"],
    requestsMax: 8,
    color: "green",
  };
  const { color: _, ...known } = hello;
  assert.deepEqual(decodeAgentHello(encodeHello(hello)), known);
  assert.throws(() => decodeHello(new TextEncoder().encode("Welcome to db1\n")), /not a greeting/u);
  assert.equal(commonVersion({ min: 1, max: 3 }, { min: 2, max: 5 }), 3);
  assert.equal(commonVersion({ min: 1, max: 1 }, { min: 2, max: 5 }), undefined);
});

Deno.test("A frame that says it is longer than allowed is refused before its bytes are taken", () => {
  const decoder = new FrameSplitter(100);
  const head = encodeFrame(FrameKind.DATA, 1, new Uint8Array(101))[0]!;
  assert.throws(() => [...decoder.push(head)], /longer than the 100 allowed/u);
});

Deno.test("Damaged and made-up bytes are refused with a typed error, by seed", () => {
  const decoders: ((bytes: Uint8Array<ArrayBuffer>) => unknown)[] = [
    decodeEntry,
    decodePage,
    decodeAgentHello,
    decodeFailure,
    decodeU32,
    decodeHole,
    (payload) =>
      decodeRequest({ type: FrameKind.READ, requestId: 1, flags: 0, payload, isRest: false }),
    (payload) => [...new FrameSplitter().push(payload)],
  ];
  const good = [
    encodeEntry(FULL),
    ...encodePage(
      { entries: [PLAIN, FULL], failures: [{ name: "x", errno: 5 }] },
      new FieldWriter(),
    )
      .map((payload) => payload.slice()),
    encodeHello({ program: "x", versions: { min: 1, max: 1 }, features: [] }),
    ...REQUESTS.map((request) => encodeRequest(request)[1]),
  ];
  for (let seed = 0; seed < SEED_COUNT; seed++) {
    const random = new Random(seed);
    const bytes = random.pick(good).slice();
    for (let change = random.between(0, 3); change >= 0; change--) {
      if (bytes.length > 0) bytes[random.between(0, bytes.length - 1)] = random.between(0, 255);
    }
    const cut = bytes.slice(0, random.oneIn(2) ? random.between(0, bytes.length) : undefined);
    for (const decode of decoders) {
      try {
        decode(cut);
      } catch (error) {
        assert.ok(error instanceof Failure, `seed ${seed}: ${error}`);
      }
    }
  }
});
