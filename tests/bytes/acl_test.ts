import assert from "node:assert/strict";
import fc from "fast-check";
import { FormatError } from "#src/errors.ts";
import { type Acl, decodePosixAcl, encodeAccessAcl, encodeDefaultAcl } from "#src/bytes/acl.ts";

/** Mode 0640, user 1000 rw-, group_obj r--, mask rw-: the example of the format specification. */
const EXAMPLE = Uint8Array.fromHex(
  "0200000001000600ffffffff02000600e803000004000400ffffffff10000600ffffffff20000000ffffffff",
);

Deno.test("decodePosixAcl() and encodeAccessAcl() agree with the kernel's layout", () => {
  const acl = decodePosixAcl(EXAMPLE, undefined)!;
  assert.deepEqual(acl.users, [{ id: 1000n, permissions: 6n }]);
  assert.equal(acl.groupObject, 4n);
  assert.equal(acl.default, undefined);
  assert.deepEqual(encodeAccessAcl(acl, 0o100660), EXAMPLE);
  assert.equal(encodeDefaultAcl(acl), undefined);
});

Deno.test("decodePosixAcl() refuses what is no ACL", () => {
  for (let length = 0; length < EXAMPLE.length; length++) {
    if (length % 8 === 4) continue;
    const isBad = (error: unknown) => error instanceof FormatError && error.code === "bad-acl";
    assert.throws(() => decodePosixAcl(EXAMPLE.subarray(0, length), undefined), isBad);
  }
  const otherVersion = EXAMPLE.with(0, 3);
  assert.throws(() => decodePosixAcl(otherVersion, undefined), { code: "bad-acl" });
  const otherTag = EXAMPLE.with(4, 0x40);
  assert.throws(() => decodePosixAcl(undefined, otherTag), { code: "bad-acl" });
});

Deno.test("encodeAccessAcl() takes the owning group's permission from the mode when it is missing", () => {
  const acl: Acl = {
    users: [{ id: 5n, permissions: 7n }],
    groups: [],
    groupObject: undefined,
    default: undefined,
    defaultUsers: [],
    defaultGroups: [],
  };
  assert.equal(decodePosixAcl(encodeAccessAcl(acl, 0o640), undefined)!.groupObject, 4n);
  const tooMuch = { ...acl, users: [{ id: 5n, permissions: 8n }] };
  assert.throws(() => encodeAccessAcl(tooMuch, 0o640), { code: "bad-acl" });
  const noId = { ...acl, users: [{ id: 1n << 32n, permissions: 1n }] };
  assert.throws(() => encodeAccessAcl(noId, 0o640), { code: "bad-acl" });
});

Deno.test("decodePosixAcl() gives back what encodeAccessAcl() and encodeDefaultAcl() were given", () => {
  const permissions = fc.bigInt(0n, 7n);
  const entries = fc.uniqueArray(
    fc.record({ id: fc.bigInt(0n, 0xffff_fffen), permissions }, { noNullPrototype: true }),
    { selector: (entry) => entry.id, maxLength: 5 },
  ).map((list) => list.sort((a, b) => Number(a.id - b.id)));
  const acls = fc.record<Acl>({
    users: entries,
    groups: entries,
    groupObject: permissions,
    default: fc.record({
      userObject: permissions,
      groupObject: permissions,
      other: permissions,
      mask: fc.option(permissions, { nil: undefined }),
    }, { noNullPrototype: true }),
    defaultUsers: entries,
    defaultGroups: entries,
  }, { noNullPrototype: true });
  fc.assert(
    fc.property(acls, fc.integer({ min: 0, max: 0o777 }), (acl, mode) => {
      assert.deepEqual(decodePosixAcl(encodeAccessAcl(acl, mode), encodeDefaultAcl(acl)), acl);
    }),
    { numRuns: 300, seed: 4 },
  );
});
