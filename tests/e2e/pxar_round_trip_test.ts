/**
 * A tree with everything in it, archived and restored by the program, v1 and split: equal in every attribute as
 * root; as an ordinary user what can be restored is, and the exit code says that it is not all.
 *
 * The trees are made and compared by the system's own tools, which share nothing with the program.
 */

import assert from "node:assert/strict";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const TIMEOUT_MS = 300_000;
const SMALL_FILES = 20_000;

/** bash for its `$'…'` names. */
async function bash(script: string, ...args: string[]): Promise<string> {
  const { stdout } = await runCommand(["bash", "-euc", script, "bash", ...args], {
    timeoutMs: TIMEOUT_MS,
  });
  return stdout;
}

const MAKE_TREE = `
cd "$1"
mkdir -p many deep empty 'sp ace'
for i in $(seq ${SMALL_FILES}); do echo "file $i" >"many/f$i"; done
path=deep; for i in $(seq 60); do path=$path/d$i; done; mkdir -p "$path"; echo bottom >"$path/file"
echo hello >plain; chmod 4755 plain; chown 1000:1001 plain
: >nothing
ln plain hard; ln many/f1 'sp ace/hard to f1'
ln -s plain link; ln -s /nowhere/at/all dangling; chown -h 5:6 link
mkfifo fifo; mknod null c 1 3; mknod loop b 7 200
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
touch -- "$(printf 'n%.0s' $(seq 255))" $'not\\xff-utf\\xfe8' $'new\\nline' '-dash' '*?[x]'
truncate -s 4G sparse; echo start | dd of=sparse conv=notrunc status=none
echo end | dd of=sparse bs=1M seek=3000 conv=notrunc status=none
head -c 5000000 /dev/urandom >random
setfattr -n user.text -v value plain; setfattr -n user.binary -v 0x00ff00 plain
setfattr -n user.on-directory -v x empty; setfattr -n trusted.secret -v y plain
echo acl >acl; setfacl -m u:1000:rw,g:1001:r acl; setfacl -m d:u:1000:rwx,d:g::r-x 'sp ace'
cp /bin/true capable; setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 capable
echo flags >flags; chattr +Ad flags || true
chmod 1777 empty; chmod 2750 'sp ace'
touch -h -d '1965-03-04 05:06:07.123456789Z' link; touch -d '1969-12-31 23:59:58.5Z' nothing
find . -depth -type d -exec touch -d '2020-02-02 02:02:02.000000002Z' {} +
`;

/** Every attribute of every name, in lines. */
const DESCRIBE = `
cd "$1"
find . -printf '%P|%y|%m|%U|%G|%n|%T@|%l|%s\\n' | grep -av '^[^|]*|d|.*|[0-9]*$' | LC_ALL=C sort || true
find . -type d -printf '%P|%m|%U|%G|%T@\\n' | LC_ALL=C sort
find . \\( -type c -o -type b \\) -exec stat -c '%n %t %T' {} + | LC_ALL=C sort
getfattr -R -P -h -d -m - -e hex . 2>/dev/null | grep -v '^$'
lsattr -R -a . 2>/dev/null | grep -a '^[-a-zA-Z]* ' | sed 's/e/-/' | LC_ALL=C sort || true
find . -type f ! -name sparse -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
head -c 20 sparse | od -c; tail -c +3145728001 sparse | head -c 10 | od -c
`;

async function pxar(...args: string[]): Promise<{ code: number; stderr: string }> {
  return await runCommand(pbkfsCommand(["pxar", ...args]), { timeoutMs: TIMEOUT_MS, check: false });
}

Deno.test("pxar create and extract give back a tree with everything in it", async (t) => {
  using place = new TempDirectory("round-trip");
  const tree = place.join("tree");
  await Deno.mkdir(tree);
  await bash(MAKE_TREE, tree);
  const expected = await bash(DESCRIBE, tree);
  assert.ok(expected.split("\n").length > SMALL_FILES, "the tree is described");

  for (const [form, ...options] of [["v1"], ["v2", "--payload-output", place.join("v2.ppxar")]]) {
    await t.step(`${form} as root`, async () => {
      const archive = place.join(form === "v1" ? "v1.pxar" : "v2.mpxar");
      const created = await pxar("create", archive, tree, ...options);
      assert.equal(created.code, 0, created.stderr);
      const target = place.join(`restored-${form}`);
      const extracted = await pxar("extract", archive, target);
      assert.equal(extracted.code, 0, extracted.stderr);
      const actual = (await bash(DESCRIBE, target)).split("\n");
      const wanted = expected.split("\n");
      const first = wanted.findIndex((line, index) => line !== actual[index]);
      assert.equal(actual[first], wanted[first], "first difference");
      assert.equal(actual.length, wanted.length);
      const blocks = Number(await bash('stat -c %b "$1/sparse"', target));
      assert.ok(blocks * 512 < 64 << 20, `sparse file takes ${blocks} blocks`);
      await bash('chattr -R -f -ai "$1" || true; rm -rf "$1"', target);
    });
  }

  await t.step("v1 as an ordinary user", async () => {
    const target = place.join("as-nobody");
    await bash(
      'chmod 755 "$2"; chmod 644 "$3"; install -d -o nobody "$1"',
      target,
      place.path,
      place.join("v1.pxar"),
    );
    const command = pbkfsCommand(["pxar", "extract", place.join("v1.pxar"), `${target}/out`]);
    const { code, stderr } = await runCommand(
      ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", ...command],
      {
        timeoutMs: TIMEOUT_MS,
        check: false,
        env: { HOME: target, PATH: Deno.env.get("PATH") ?? "" },
      },
    );
    assert.equal(code, 1, stderr);
    assert.match(stderr, /EPERM/);
    const same = await bash(
      'cd "$1"; for f in plain random many/f77 link; do cmp "$f" "$2/out/$f"; done; echo same',
      tree,
      target,
    );
    assert.equal(same.trim(), "same");
  });
});
