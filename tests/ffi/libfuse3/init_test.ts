import assert from "node:assert/strict";
import { negotiateInit } from "#ffi/libfuse3/init.ts";
import { InHeader, InitFlag, initFlagNames, Opcode, OutHeader } from "#ffi/libfuse3/kernel.ts";

/** What Linux 6.18 offers. */
const FLAGS_6_18 = 0x73fffffb;
const FLAGS2_6_18 = 0x5fd;

/** An INIT request as the kernel sends it: with `flags2` when the size is 64. */
function initRequest(
  { major = 7, minor = 45, flags = FLAGS_6_18, flags2 = FLAGS2_6_18, bodySize = 64 } = {},
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(InHeader.SIZE + bodySize);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint32(4, Opcode.INIT, true);
  view.setBigUint64(8, 2n, true);
  view.setUint32(40, major, true);
  view.setUint32(44, minor, true);
  view.setUint32(48, 131072, true);
  view.setUint32(52, flags, true);
  if (bodySize >= 20) view.setUint32(56, flags2, true);
  return bytes;
}

Deno.test("negotiateInit() answers Linux 6.18 with the recorded bytes", () => {
  const { answer, stackDepth } = negotiateInit(initRequest(), { stackDepth: 1, posixAcls: false });
  const view = new DataView(answer.buffer);
  assert.equal(stackDepth, 1);
  assert.equal(answer.length, OutHeader.SIZE + 64);
  assert.equal(view.getUint32(0, true), 80);
  assert.equal(view.getInt32(4, true), 0);
  assert.equal(view.getBigUint64(8, true), 2n);
  assert.equal(view.getUint32(16, true), 7);
  assert.equal(view.getUint32(20, true), 45);
  assert.equal(view.getUint32(24, true), 131072);
  assert.equal(view.getUint32(28, true), 0x50c4e029);
  assert.equal(view.getUint32(36, true), 1 << 20);
  assert.equal(view.getUint32(40, true), 1);
  assert.equal(view.getUint16(44, true), 256);
  assert.equal(view.getUint32(48, true), 0x20);
  assert.equal(view.getUint32(52, true), 1);
});

Deno.test("negotiateInit() leaves out what would lose data, cache or locks", () => {
  const { flags, flags2 } = negotiateInit(initRequest(), { stackDepth: 0, posixAcls: false });
  const names = initFlagNames(flags, flags2);
  for (
    const left of [
      "AUTO_INVAL_DATA",
      "WRITEBACK_CACHE",
      "POSIX_LOCKS",
      "FLOCK_LOCKS",
      "SPLICE_READ",
      "SPLICE_WRITE",
      "DONT_MASK",
      "PASSTHROUGH",
      "SETXATTR_EXT",
    ] as const
  ) {
    assert.ok(!names.includes(left), left);
  }
  for (const taken of ["PARALLEL_DIROPS", "HANDLE_KILLPRIV_V2", "ATOMIC_O_TRUNC"] as const) {
    assert.ok(names.includes(taken), taken);
  }
});

Deno.test("negotiateInit() takes POSIX ACLs with what belongs to them, or not at all", () => {
  const wish = { stackDepth: 0, posixAcls: true };
  const names = ["POSIX_ACL", "DONT_MASK", "SETXATTR_EXT"] as const;
  const taken = negotiateInit(initRequest(), wish);
  assert.equal(taken.posixAcls, true);
  for (const name of names) assert.ok(initFlagNames(taken.flags, 0).includes(name), name);
  for (const lacking of ["POSIX_ACL", "DONT_MASK"] as const) {
    const flags = (FLAGS_6_18 & ~(1 << InitFlag[lacking])) >>> 0;
    const left = negotiateInit(initRequest({ flags }), wish);
    assert.equal(left.posixAcls, false);
    for (const name of names) assert.ok(!initFlagNames(left.flags, 0).includes(name), name);
  }
});

Deno.test("negotiateInit() takes nothing that the kernel does not offer", () => {
  const offered = 1 << InitFlag.ASYNC_READ | 1 << InitFlag.MAX_PAGES;
  const negotiation = negotiateInit(
    initRequest({ minor: 31, flags: offered, bodySize: 16 }),
    { stackDepth: 1, posixAcls: false },
  );
  assert.equal(negotiation.flags, offered);
  assert.equal(negotiation.flags2, 0);
  assert.equal(negotiation.stackDepth, 0);
  assert.equal(negotiation.minor, 31);
  assert.equal(negotiation.replay.length, InHeader.SIZE + 16);
});

Deno.test("negotiateInit() replays what was agreed on under an id the kernel does not know", () => {
  const request = initRequest();
  const { replay, flags, flags2 } = negotiateInit(request, { stackDepth: 1, posixAcls: false });
  const view = new DataView(replay.buffer);
  assert.equal(view.getBigUint64(8, true), 0xfffffffffffffff0n);
  assert.equal(view.getUint32(52, true), flags);
  assert.equal(view.getUint32(56, true), flags2);
  assert.equal(new DataView(request.buffer).getBigUint64(8, true), 2n);
});

Deno.test("negotiateInit() refuses other requests, other protocols and every truncation", () => {
  const other = initRequest();
  new DataView(other.buffer).setUint32(4, Opcode.LOOKUP, true);
  assert.throws(() => negotiateInit(other, { stackDepth: 0, posixAcls: false }), SyntaxError);
  assert.throws(
    () => negotiateInit(initRequest({ major: 8 }), { stackDepth: 0, posixAcls: false }),
    /protocol 8\.45/,
  );
  assert.throws(
    () => negotiateInit(initRequest({ minor: 26 }), { stackDepth: 0, posixAcls: false }),
    /protocol 7\.26/,
  );
  const complete = initRequest();
  for (let size = 0; size < InHeader.SIZE + 16; size++) {
    assert.throws(
      () => negotiateInit(complete.slice(0, size), { stackDepth: 0, posixAcls: false }),
      SyntaxError,
    );
  }
});

Deno.test("initFlagNames() names bits of both words", () => {
  assert.deepEqual(initFlagNames(1 << 30 >>> 0, 1 << 5), ["INIT_EXT", "PASSTHROUGH"]);
});
