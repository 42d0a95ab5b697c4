import assert from "node:assert/strict";
import fc from "fast-check";
import { AclTag, inheritAcl, restrictedMode } from "#src/bytes/posix_acl.ts";

const OWNER = 1;
const OWNING_GROUP = 10;
const IDS = [2, 3, 4] as const;
const GROUPS = [10, 11, 12] as const;
const NO_ID = 0xffff_ffff;

interface Acl {
  readonly userObject: number;
  readonly users: ReadonlyMap<number, number>;
  readonly groupObject: number;
  readonly groups: ReadonlyMap<number, number>;
  readonly mask: number;
  readonly other: number;
}

interface Subject {
  readonly uid: number;
  readonly gids: readonly number[];
}

function encode(acl: Acl, hasMask = true): Uint8Array<ArrayBuffer> {
  const entries: [number, number, number][] = [
    [AclTag.USER_OBJECT, acl.userObject, NO_ID],
    ...[...acl.users].map(([id, bits]): [number, number, number] => [AclTag.USER, bits, id]),
    [AclTag.GROUP_OBJECT, acl.groupObject, NO_ID],
    ...[...acl.groups].map(([id, bits]): [number, number, number] => [AclTag.GROUP, bits, id]),
    ...(hasMask ? [[AclTag.MASK, acl.mask, NO_ID] as [number, number, number]] : []),
    [AclTag.OTHER, acl.other, NO_ID],
  ];
  const view = new DataView(new ArrayBuffer(4 + entries.length * 8));
  view.setUint32(0, 2, true);
  entries.forEach(([tag, permissions, id], index) => {
    view.setUint16(4 + index * 8, tag, true);
    view.setUint16(6 + index * 8, permissions, true);
    view.setUint32(8 + index * 8, id, true);
  });
  return new Uint8Array(view.buffer);
}

/** The access check of acl(5). */
function mayByAcl(acl: Acl, { uid, gids }: Subject, wanted: number): boolean {
  const isIn = (permissions: number) => (permissions & wanted) === wanted;
  if (uid === OWNER) return isIn(acl.userObject);
  const named = acl.users.get(uid);
  if (named !== undefined) return isIn(named & acl.mask);
  const matching = [...acl.groups].filter(([gid]) => gids.includes(gid)).map(([, bits]) => bits);
  if (gids.includes(OWNING_GROUP)) matching.push(acl.groupObject);
  if (matching.length > 0) return matching.some((permissions) => isIn(permissions & acl.mask));
  return isIn(acl.other);
}

function mayByMode(mode: number, { uid, gids }: Subject, wanted: number): boolean {
  const shift = uid === OWNER ? 6 : gids.includes(OWNING_GROUP) ? 3 : 0;
  return (mode >> shift & wanted) === wanted;
}

const bits = fc.integer({ min: 0, max: 7 });
const named = (ids: readonly number[]) =>
  fc.array(fc.tuple(fc.constantFrom(...ids), bits), { maxLength: 3 })
    .map((entries) => new Map(entries));
const acls: fc.Arbitrary<Acl> = fc.record({
  userObject: bits,
  users: named(IDS),
  groupObject: bits,
  groups: named(GROUPS.slice(1)),
  mask: bits,
  other: bits,
});

Deno.test("restrictedMode() gives nobody more than the ACL, and the owner all of his", () => {
  const subjects = [OWNER, ...IDS, 5].flatMap((uid) =>
    [[], [10], [11], [12], [10, 11], [11, 12]].map((gids): Subject => ({ uid, gids }))
  );
  fc.assert(
    fc.property(acls, (acl) => {
      const mode = 0o102000 | acl.userObject << 6 | acl.mask << 3 | acl.other;
      const shown = restrictedMode(encode(acl), mode);
      assert.equal(shown & ~0o77, mode & ~0o77);
      for (const subject of subjects) {
        for (const wanted of [1, 2, 4, 5, 6, 7]) {
          if (!mayByMode(shown, subject, wanted)) continue;
          const text = `uid ${subject.uid} gids ${subject.gids} wants ${wanted}`;
          assert.ok(mayByAcl(acl, subject, wanted), text);
        }
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("restrictedMode() takes away no more than it must", () => {
  const base = { userObject: 6, groupObject: 4, mask: 6, other: 4 };
  const none = new Map<number, number>();
  const shown = (users: Acl["users"], groups: Acl["groups"]) =>
    restrictedMode(encode({ ...base, users, groups }), 0o664).toString(8);
  // A user with more, a user with nothing, a group with nothing.
  assert.equal(shown(new Map([[2, 7]]), none), "644");
  assert.equal(shown(new Map([[2, 0]]), none), "600");
  assert.equal(shown(none, new Map([[11, 0]])), "640");
  assert.equal(restrictedMode(new Uint8Array(3), 0o100664), 0o100600);
});

Deno.test("inheritAcl() cuts owner, mask and others to what was asked for", () => {
  const acl = {
    userObject: 7,
    users: new Map([[2, 7]]),
    groupObject: 5,
    groups: new Map<number, number>(),
    mask: 7,
    other: 5,
  };
  const made = inheritAcl(encode(acl), 0o100666);
  assert.equal(made.mode, 0o100664);
  assert.deepEqual(made.access, encode({ ...acl, userObject: 6, mask: 6, other: 4 }));
  const plain = inheritAcl(encode({ ...acl, users: new Map() }, false), 0o42770);
  assert.equal(plain.mode, 0o42750);
  assert.equal(plain.access, undefined, "the mode says everything");
});
