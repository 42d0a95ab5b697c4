/**
 * Restores that were interrupted, or are done again, over the same tree: in the end it is what the
 * archive says.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as host from "#ffi/libc/calls.ts";
import { MemoryDisk } from "#tests/support/memory_disk.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { type CommandResult, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { pbkfs } from "./_archive_mount.ts";

const IS_ROOT = Deno.uid() === 0;
const NOBODY = 65534;
const TIMEOUT_MS = 120_000;

/** Runs of programs as one user. */
type User = readonly string[];
const SELF: User = [];
const USER: User = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];

/**
 * Hard links in other directories than their first name, directories that nobody may write to,
 * links to directories, a FIFO, a sparse file; a large file at the end.
 */
const MAKE_TREE = `
  cd "$1"; mkdir -p d1/ro/deep d2 e
  for i in 1 2 3 4 5 6 7 8; do
    echo "$i" > "d1/ro/f$i"; ln "d1/ro/f$i" "d1/ro/deep/a$i"; ln "d1/ro/f$i" "d2/l$i"
  done
  ln -s d1 directory; ln -s ../d1/ro d2/up; ln -s nowhere e/lost; mkfifo e/fifo
  truncate -s 1M e/sparse; echo middle | dd of=e/sparse bs=1 seek=500000 conv=notrunc status=none
  head -c 3M /dev/urandom > e/z; chmod 640 e/z
`;
const LOCK_TREE = 'cd "$1"; chmod 555 d1/ro d1/ro/deep d2; chmod 500 e; chmod 555 .';

async function bash(script: string, ...args: readonly string[]): Promise<string> {
  const command = ["bash", "-ec", script, "bash", ...args];
  return (await runCommand(command, { timeoutMs: TIMEOUT_MS })).stdout;
}

function setXattr(path: string, name: string, value: string): void {
  const fd = host.unwrap(host.open(path, host.OpenFlag.RDONLY), "open", path);
  // Not every file system has them.
  host.setXattr(fd, name, new TextEncoder().encode(value), 0);
  host.close(fd);
}

/** An archive that belongs to a user, and what is compared with it. */
async function makeArchive(scratch: TempDirectory, user: User): Promise<string> {
  const tree = scratch.join("tree");
  Deno.mkdirSync(tree);
  await bash(MAKE_TREE, tree);
  for (const name of ["d1/ro", "d1/ro/f1", "e", "e/sparse"]) {
    setXattr(`${tree}/${name}`, "user.name", name);
  }
  await bash(LOCK_TREE, tree);
  if (user === USER) await bash(`chown -hR ${NOBODY}:${NOBODY} "$1"`, tree);
  const archive = scratch.join("home.pxar");
  await pbkfs(["pxar", "create", archive, tree], true);
  await bash('chmod 755 "$1"; chmod 644 "$2"', scratch.path, archive);
  return archive;
}

async function makeTarget(scratch: TempDirectory, user: User): Promise<string> {
  const target = Deno.makeTempDirSync({ dir: scratch.path });
  if (user === USER) await bash(`chown ${NOBODY}:${NOBODY} "$1"`, target);
  return target;
}

function extract(user: User, archive: string, target: string, options: readonly string[]) {
  const command = pbkfsCommand(["pxar", "extract", archive, target, "--format", "json"]);
  return runCommand([...user, ...command, ...options], { timeoutMs: TIMEOUT_MS, check: false });
}

/** An archive of what was restored has the same bytes. */
async function checkEqual(scratch: TempDirectory, archive: string, target: string, what: string) {
  const again = scratch.join("again.pxar");
  await pbkfs(["pxar", "create", again, target, "--overwrite"], true);
  assert.ok(Buffer.from(Deno.readFileSync(again)).equals(Deno.readFileSync(archive)), what);
  const { blocks, size } = Deno.statSync(`${target}/e/sparse`);
  assert.ok(blocks! * 512 < size, what);
}

/** The options that messages of single entries name. */
function namedOptions({ stderr }: CommandResult): string[] {
  const lines = stderr.trim().split("\n").map((line) => JSON.parse(line));
  const options = lines.filter(({ type }) => type === "problem").map(({ option }) => option);
  assert.ok(!options.includes(undefined), stderr);
  return [...new Set<string>(options)];
}

/**
 * Restores the beginning of an archive, and is killed when `name` is there, while it waits for
 * more.
 */
async function interrupt(
  user: User,
  archive: string,
  target: string,
  sizeBytes: number,
  name: string,
): Promise<void> {
  await bash(
    `
      archive=$1 feed=$2 size=$3 name=$4; shift 4
      mkfifo "$feed"; chmod 666 "$feed"
      "$@" < "$feed" > /dev/null 2>&1 & pid=$!
      exec 3> "$feed"; head -c "$size" "$archive" >&3
      until [ -e "$name" ]; do kill -0 "$pid"; sleep 0.02; done
      kill -KILL "$pid"; wait "$pid" || true; rm "$feed"
    `,
    archive,
    `${archive}.feed`,
    String(sizeBytes),
    `${target}/${name}`,
    ...user,
    ...pbkfsCommand(["pxar", "extract", "-", target]),
  );
}

const USERS: readonly User[] = IS_ROOT ? [SELF, USER] : [SELF];
const OVER = ["--allow-existing-dirs"];
const KINDS = ["", "-files", "-symlinks", "-hardlinks", "-directories"].map((kind) =>
  `--overwrite${kind}`
);

Deno.test("a restore that was killed is finished by one that may overwrite, whatever option is tried first", async () => {
  for (const user of USERS) {
    using scratch = new TempDirectory("killed");
    const archive = await makeArchive(scratch, user);
    const { size } = Deno.statSync(archive);
    const ends = [[2000, "d1"], [4000, "d1/ro"], [size - 1e6, "e/z"]] as const;
    for (const [i, [sizeBytes, name]] of ends.entries()) {
      for (const option of [KINDS[i]!, KINDS[i + 2]!]) {
        const target = await makeTarget(scratch, user);
        await interrupt(user, archive, target, sizeBytes, name);
        let options = [...OVER, option];
        let result = await extract(user, archive, target, options);
        if (result.code !== 0) {
          options = [...new Set([...options, ...namedOptions(result)])];
          result = await extract(user, archive, target, options);
        }
        assert.equal(result.code, 0, result.stderr);
        await checkEqual(scratch, archive, target, `${user[0]} ${name} ${option}`);
      }
    }
  }
});

Deno.test("a restore that is done again, with whatever option, leaves the tree as the archive says", async () => {
  for (const user of USERS) {
    using scratch = new TempDirectory("repeated");
    const archive = await makeArchive(scratch, user);
    const target = await makeTarget(scratch, user);
    assert.equal((await extract(user, archive, target, [])).code, 0);
    await checkEqual(scratch, archive, target, "first");
    for (const option of [...KINDS, "--allow-existing-dirs"]) {
      const { code, stderr } = await extract(user, archive, target, [...OVER, option]);
      assert.equal(code, option === "--overwrite" ? 0 : 1, stderr);
      await checkEqual(scratch, archive, target, `${user[0]} ${option}`);
    }
    // The first directory is in the way, and nothing below it is touched.
    assert.deepEqual(namedOptions(await extract(user, archive, target, [])), [
      "--allow-existing-dirs",
      "--overwrite",
    ]);
    await checkEqual(scratch, archive, target, "nothing allowed");
  }
});

Deno.test("a restore over a tree that was changed replaces what is allowed, and nothing outside is touched", async () => {
  using scratch = new TempDirectory("changed");
  const archive = await makeArchive(scratch, SELF);
  const target = await makeTarget(scratch, SELF);
  const outside = scratch.join("outside");
  assert.equal((await extract(SELF, archive, target, [])).code, 0);
  await bash(
    `
      mkdir "$2"; echo kept > "$2/f1"; ln "$2/f1" "$2/other"; cd "$1"; chmod -R u+w .
      rm -r d1/ro; ln -s "$2" d1/ro                        # a link where a directory comes
      rm d2/up d2/l1; echo a file > d2/up; ln "$2/other" d2/l1
      echo changed > d2/l2; truncate -s 2M e/sparse; rm e/lost; ln -s .. e/lost
    `,
    target,
    outside,
  );
  const { code, stderr } = await extract(SELF, archive, target, [...OVER, "--overwrite"]);
  assert.equal(code, 0, stderr);
  await checkEqual(scratch, archive, target, "changed");
  assert.equal(await bash('cd "$1"; cat f1 other; ls', outside), "kept\nkept\nf1\nother\n");
});

Deno.test({
  name:
    "what the disk has no space for is left out, not left in part, and comes when there is space",
  ignore: !IS_ROOT,
  async fn() {
    using scratch = new TempDirectory("full");
    await using disk = await MemoryDisk.create(4);
    const tree = scratch.join("tree");
    await bash('mkdir "$1"; cd "$1"; head -c 2M /dev/urandom > a; ln a b; echo 1 > c', tree);
    const archive = scratch.join("home.pxar");
    await pbkfs(["pxar", "create", archive, tree], true);
    await bash('head -c 3M /dev/zero > "$1"', disk.join("ballast"));
    const target = disk.join("out");
    const full = await extract(SELF, archive, target, []);
    assert.equal(full.code, 1);
    const problems = full.stderr.split("\n").filter((line) => line.includes('"problem"'));
    assert.deepEqual(problems.map((line) => JSON.parse(line).code), ["ENOSPC", "ENOSPC"]);
    assert.deepEqual([...Deno.readDirSync(target)].map(({ name }) => name), ["c"]);
    Deno.removeSync(disk.join("ballast"));
    const again = await extract(SELF, archive, target, ["--overwrite"]);
    assert.equal(again.code, 0, again.stderr);
    await bash('cmp "$1/a" "$2/a"; test "$2/a" -ef "$2/b"', tree, target);
  },
});
