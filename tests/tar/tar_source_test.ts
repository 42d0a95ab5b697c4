import assert from "node:assert/strict";
import fc from "fast-check";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { Failure, FormatError } from "#src/errors.ts";
import { openSource } from "#src/sources/mod.ts";
import { LocalTree } from "#src/transfer/local_tree.ts";
import { diffTrees } from "#src/transfer/diff.ts";
import { LocalAccounts } from "#src/io/accounts.ts";
import { parseAclText } from "#src/tar/format/acl_text.ts";
import { indexTar } from "#src/tar/tar_index.ts";
import { tarTree } from "#src/tar/tar_tree.ts";
import { findEntry } from "#src/tree/paths.ts";
import { bash } from "#tests/support/everything_tree.ts";
import { hasPrograms } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { checkMountableTree } from "#tests/support/tree_conformance.ts";

const IS_ROOT = Deno.uid() === 0;
/** Of the package libarchive-tools; steps that need it are left out without it. */
const HAS_BSDTAR = hasPrograms("bsdtar");

const TREE = `cd "$1"; mkdir -p d/e empty; echo one >d/f; ln d/f hard; ln -s d/f link; : >nothing
  head -c 100000 /dev/urandom >random; chmod 4711 random
  name=$(printf 'n%.0s' $(seq 120)); mkdir -p $name/$name; echo deep >$name/$name/$name
  ln -s /$name/$name/$name long-link; ln $name/$name/$name long-hard
  truncate -s 3000000 sparse; for i in 3 50 900 2000; do
    printf "x$i" | dd of=sparse bs=1000 seek=$i conv=notrunc status=none; done
  truncate -s 5000000 holes; for i in $(seq 1 40); do
    printf x | dd of=holes bs=1 seek=$((i * 100000)) conv=notrunc status=none; done
  touch -d '2020-02-02 02:02:02 UTC' d/f; mkfifo fifo
  find . -exec touch -h -d '2021-03-04 05:06:07 UTC' {} +`;

function python(mode: string, format: string): string {
  const script = `with tarfile.open(sys.argv[2], "${mode}", format=tarfile.${format}_FORMAT) as f:
    f.add(sys.argv[1], ".")`;
  return `python3 -c 'import sys, tarfile\n${script}' $1 $2`;
}

/** Archives of one tree by the tools that people have. */
const MAKERS: Readonly<Record<string, string>> = {
  "GNU tar, gnu": "tar --format=gnu -cf $2 -C $1 .",
  "GNU tar, pax": "tar --format=pax -cf $2 -C $1 .",
  "GNU tar, gnu, sparse": "tar --format=gnu -S -cf $2 -C $1 .",
  "GNU tar, pax, sparse 0.0": "tar --format=pax -S --sparse-version=0.0 -cf $2 -C $1 .",
  "GNU tar, pax, sparse 0.1": "tar --format=pax -S --sparse-version=0.1 -cf $2 -C $1 .",
  "GNU tar, pax, sparse 1.0": "tar --format=pax -S --sparse-version=1.0 -cf $2 -C $1 .",
  "GNU tar, gzip": "tar --format=pax -czf $2 -C $1 .",
  "GNU tar, zstd": "tar --format=pax -S --zstd -cf $2 -C $1 .",
  "zstd, several frames":
    "tar -cf $2.tar -C $1 .; split -b 40000 $2.tar $2.; rm $2.tar; for f in $2.*; do zstd -qc $f; done >$2",
  "lz4": "tar -cf - -C $1 . | lz4 -qc >$2",
  "lz4, blocks that refer to others, with checksums":
    "tar -cf - -C $1 . | lz4 -q -B4 -BD -BX --content-size -c >$2; lz4 -qc </dev/null >>$2",
  "bsdtar, pax, sparse": "bsdtar --format=pax -cf $2 -C $1 .",
  "bsdtar, gnutar": "bsdtar --format=gnutar -cf $2 -C $1 .",
  "Python, pax": python("w", "PAX"),
  "Python, gnu, gzip": python("w:gz", "GNU"),
};

Deno.test("A tar archive shows what it was made of, whoever made it", async (t) => {
  using home = new TempDirectory("tar");
  const tree = home.join("tree");
  Deno.mkdirSync(tree);
  await bash(TREE, tree);
  for (const [maker, script] of Object.entries(MAKERS)) {
    await t.step({
      name: maker,
      ignore: maker.startsWith("bsdtar") && !HAS_BSDTAR,
      fn: async () => {
        const archive = home.join(`archive-${maker.replaceAll(/\W+/g, "-")}`);
        await bash(script, tree, archive);
        using source = await openSource(archive);
        assert.equal(source.summary.kind, "tar");
        checkMountableTree(() => source.openTree());
        const shown = source.openTree();
        assert.deepEqual(
          [...diffTrees(new LocalTree(tree), shown, { ignoredFields: new Set(["acl"]) })],
          [],
        );
        const sparse = findEntry(shown, "sparse");
        if (/sparse|zstd$/.test(maker)) {
          assert.ok(sparse?.kind === "file");
          assert.ok(sparse.open().nextData!(1_000_000) >= 1_900_000);
        }
        shown.close();
      },
    });
  }
});

Deno.test({
  name: "Extended attributes, capabilities, devices and owners are those of the archive",
  ignore: !IS_ROOT,
  async fn() {
    using home = new TempDirectory("tar");
    const tree = home.join("tree");
    Deno.mkdirSync(tree);
    await bash(
      `cd "$1"; echo x >f; setfattr -n user.text -v value f; setfattr -n user.a=b%3D -v odd f; setfattr -n user.bin -v 0x0a3d00ff f
       cp /bin/true c; setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 c
       mknod null c 1 3; mknod loop b 7 200; chown 3000000:4000000 f`,
      tree,
    );
    const archive = home.join("x.tar");
    await bash(`tar --format=pax --xattrs --xattrs-include='*' -cf "$2" -C "$1" .`, tree, archive);
    using source = await openSource(archive);
    const shown = source.openTree();
    assert.deepEqual([...diffTrees(new LocalTree(tree), shown)], []);
    shown.close();
  },
});

/** Users and groups with and without an account, by name and by number. */
const ACL_TREE = `cd "$1"; mkdir d; echo x >d/f; ln d/f hard; echo plain >plain; echo y >g
  setfacl -m u:daemon:r,u:12345:rwx,g:bin:x,g:2000000000:-,m::rx d/f
  setfacl -d -m u:daemon:rx,g:777:r d; setfacl -m m::r g; chmod 2751 d
  setfattr -n user.text -v value d/f; setfattr -n user.bin -v 0x0a3d00ff d/f
  setfattr -n user.50% -v colour g; truncate -s 2M s; echo end >>s
  find . -exec touch -h -d '2021-03-04 05:06:07 UTC' {} +`;

const ACL_MAKERS: Readonly<Record<string, string>> = {
  "bsdtar": "bsdtar --format=pax -cf $2 -C $1 .",
  "bsdtar, attributes in its own form": "bsdtar --format=pax --options xattrheader=LIBARCHIVE " +
    "-cf $2 -C $1 .",
  "GNU tar, names only": "tar --format=pax -S --acls --xattrs --xattrs-include='user.*' " +
    "-cf $2 -C $1 .",
  "GNU tar, also the kernel's attributes": "tar --format=pax -S --acls --xattrs " +
    "--xattrs-include='*' -cf $2 -C $1 .",
};

Deno.test("ACLs are those of the archive, by number or by name", async (t) => {
  using home = new TempDirectory("tar");
  const tree = home.join("tree");
  Deno.mkdirSync(tree);
  await bash(ACL_TREE, tree);
  for (const [maker, script] of Object.entries(ACL_MAKERS)) {
    const isMissing = maker.startsWith("bsdtar") && !HAS_BSDTAR;
    await t.step({
      name: maker,
      ignore: isMissing,
      fn: async () => {
        const archive = home.join(`${maker.replaceAll(/\W+/g, "-")}.tar`);
        await bash(script, tree, archive);
        using source = await openSource(archive);
        assert.equal(source.description.mayHaveAcls, true);
        checkMountableTree(() => source.openTree());
        const shown = source.openTree();
        assert.ok(shown.knownFields.has("acl"));
        assert.deepEqual([...diffTrees(new LocalTree(tree), shown)], []);
        shown.close();
      },
    });
  }
});

Deno.test("An ACL in words is one in numbers, or refused", () => {
  const accounts = {
    uid: (name: string) => name === "lisa" ? 502 : undefined,
    gid: (name: string) => name === "staff" ? 20 : undefined,
  };
  const parse = (text: string) => parseAclText(text, accounts);
  const acl = parse(
    "user::rwx,user:lisa:r-x,user:lisa:r--:7,user:nobody-here:rwx,g:staff:-w-\n" +
      " default:group::r-x #effective:r--\nmask:r,o::,group:gone:x:8",
  );
  assert.deepEqual(acl, {
    users: [{ id: 502n, permissions: 5n }, { id: 7n, permissions: 4n }],
    groups: [{ id: 20n, permissions: 2n }, { id: 8n, permissions: 1n }],
    userObject: 7n,
    groupObject: 5n,
    mask: 4n,
    other: 0n,
  });
  for (const text of ["user", "user:", "user::q", "owner@:rwx:allow", "mask:x:rwx", "u:a:r:1:2"]) {
    assert.throws(() => parse(text), { code: "bad-acl" }, text);
  }
});

/** An archive in memory. */
function sourceOf(bytes: Uint8Array) {
  return {
    size: bytes.length,
    readAt(target: { bytes: Uint8Array }, start: number, size: number, offset: number) {
      const part = bytes.subarray(offset, offset + size);
      target.bytes.set(part, start);
      return part.length;
    },
    close() {},
  };
}

function open(bytes: Uint8Array) {
  const source = sourceOf(bytes);
  const members = indexTar(source, "x.tar", allocateNativeBuffer, new LocalAccounts());
  return tarTree([{ members, directory: "" }], [source]);
}

async function made(script: string): Promise<Uint8Array<ArrayBuffer>> {
  using home = new TempDirectory("tar");
  await bash(`cd "$1"; ${script}`, home.path);
  return Deno.readFileSync(home.join("x.tar"));
}

Deno.test("Of several members of one path the last one counts", async () => {
  const bytes = await made(`mkdir d; echo one >f; echo in >d/g; tar -cf x.tar f d; rm -r f
    mkdir f; echo under >f/h; tar -rf x.tar f; echo two >d/g; tar -rf x.tar d/g`);
  const tree = open(bytes);
  assert.equal(findEntry(tree, "f/h")?.attributes.size, 6);
  const file = findEntry(tree, "d/g");
  assert.ok(file?.kind === "file");
  const target = allocateNativeBuffer(4);
  file.open().readInto(target, 0, 4, 0);
  assert.equal(new TextDecoder().decode(target.bytes.slice(0, 4)), "two\n");
});

Deno.test("What leads out of an archive, or names nothing, is refused", async () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ["echo x >a; tar -P --transform='s,^a,../a,' -cf x.tar a", /leads out/],
    ["echo x >a; tar -P --transform='s,^a,b/../../a,' -cf x.tar a", /leads out/],
    [
      "echo x >a; ln a b; tar -cf y.tar a b; tar -f y.tar --delete a; mv y.tar x.tar",
      /another name/,
    ],
    [
      "mkdir a; echo x >a/b; echo y >c; tar -cf x.tar c --transform='s,^c,a,'; tar -rf x.tar a/b",
      /not a directory/,
    ],
  ];
  for (const [script, message] of refused) {
    const bytes = await made(script);
    assert.throws(
      () => open(bytes),
      (error) => error instanceof FormatError && message.test(error.message),
      script,
    );
  }
  // An absolute name is one below the root, as extraction has it.
  const absolute = open(await made("echo x >a; tar -P --transform='s,^a,/a/b,' -cf x.tar a"));
  assert.equal(findEntry(absolute, "a/b")?.kind, "file");
});

Deno.test("An archive that is cut off is refused, wherever", async () => {
  const bytes = await made(
    "mkdir d; echo x >d/f; head -c 3000 /dev/zero >g; tar --format=pax -cf x.tar d g",
  );
  const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
  for (let size = 1; size < end; size += 97) {
    try {
      open(bytes.slice(0, size));
      assert.equal(size % 512, 0, `cut off at ${size}`);
    } catch (error) {
      assert.ok(error instanceof FormatError, String(error));
    }
  }
});

Deno.test("Bytes of any kind are an archive or refused with a typed error", async () => {
  const bytes = await made(`mkdir d; echo x >d/f; ln d/f h; truncate -s 100000 s; echo e >>s
    tar --format=gnu -S -cf a.tar d h s; tar --format=pax -S -cf x.tar d h s; cat a.tar >>x.tar`);
  const changes = fc.array(fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 255 })), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(fc.property(changes, fc.boolean(), (list, repairs) => {
    const changed = bytes.slice();
    for (const [position, value] of list) changed[position] = value;
    if (repairs) {
      for (const [position] of list) repairChecksum(changed, position - position % 512);
    }
    try {
      const tree = open(changed);
      for (const { node } of tree.root.entries()) {
        if (node.kind === "file" && node.attributes.size < 1 << 20) {
          const target = allocateNativeBuffer(node.attributes.size);
          node.open().readInto(target, 0, node.attributes.size, 0);
        }
      }
    } catch (error) {
      assert.ok(error instanceof Failure, String(error));
    }
  }));
});

/** So that a change gets further than the first look. */
function repairChecksum(bytes: Uint8Array, start: number): void {
  bytes.fill(32, start + 148, start + 156);
  const sum = bytes.subarray(start, start + 512).reduce((total, byte) => total + byte, 0);
  const digits = sum.toString(8).padStart(6, "0");
  bytes.set(new TextEncoder().encode(`${digits}\0 `), start + 148);
}
