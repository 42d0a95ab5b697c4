/**
 * POSIX ACLs on mounts, tried by several users: where files have them, the kernel checks by them;
 * where nobody would, they are refused.
 *
 * @module
 */

import assert from "node:assert/strict";
import { buildDirectoryCatalog } from "#tests/support/directory_catalog.ts";
import { MountPlace } from "#tests/support/pbkfs.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { ArchiveMount, pbkfs } from "./_archive_mount.ts";
import { PbsStore } from "./_pbs_store.ts";

const TIMEOUT_MS = 120_000;
const ignore = Deno.uid() !== 0;

/** Files with every kind of entry, in the working directory. */
const MAKE_FILES = `
  set -e
  make() { echo secret > $1; chown 1000:2000 $1; chmod $2 $1; setfacl -m $3 $1; }
  make user-granted 600 u:1234:rw-
  make user-denied 644 u:1234:---
  make group-denied 640 g::---,u:1:r--
  make group-granted 600 g:3000:r--
  make group-refused 644 g:3001:---
  make masked 644 u:1234:rw-,g:3000:rw-,m::---
  make both 600 u:1234:---,g:3000:rw-,g:3001:-w-,o::r--
  mkdir closed; chown 1000:2000 closed; chmod 755 closed; setfacl -m u:1234:---,g:3000:--x closed
  echo secret > closed/inside
  mkdir open; chmod 700 open; setfacl -m u:1234:rwx,d:u:1234:rw-,d:g:3000:r-- open
  echo secret > open/inside
  echo plain > plain; chmod 640 plain; chown 1000:2000 plain
`;

/** What each of several users may read and write below `$1`, one line each. */
const TRY_FILES = `
  cd "$1"
  for who in "1000 1000" "1234 1234" "3000 2000" "1234 2000" "4000 3000" "4000 3001" \\
      "4000 3000,3001" "1234 3000" "4000 2000,3000" "5000 5000"; do
    set -- $who
    setpriv --reuid=$1 --regid=\${2%%,*} --groups=$2 sh -c '
      for f in $(find . -type f -o -type d | LC_ALL=C sort) closed/inside open/inside; do
        if [ -d $f ]; then list=ls; else list=cat; fi
        r=-; $list $f >/dev/null 2>&1 && r=r; w=-; test -w $f && w=w
        echo "'"$who"' $f $r$w"
      done' 2>/dev/null
  done
`;

function sh(script: string, cwd: string, ...args: readonly string[]) {
  const command = ["sh", "-c", script, "sh", ...args];
  return runCommand(command, { timeoutMs: TIMEOUT_MS, cwd });
}

/** @param isReadOnly writing is not compared */
async function access(directory: string, isReadOnly = false): Promise<string> {
  const { stdout } = await sh(TRY_FILES, "/", directory);
  return isReadOnly ? stdout.replaceAll(/w$/gm, "-") : stdout;
}

async function makeFiles(home: TempDirectory): Promise<string> {
  const source = home.join("source");
  Deno.mkdirSync(source);
  // Whatever mask the tests before have left.
  Deno.chmodSync(source, 0o755);
  await sh(MAKE_FILES, source);
  return source;
}

Deno.test({
  name: "a mounted archive gives every user what its ACLs give him",
  ignore,
  fn: async () => {
    await using place = new ArchiveMount();
    const source = await makeFiles(place.home);
    const archive = place.home.join("a.pxar");
    await pbkfs(["pxar", "create", archive, source], true);
    await place.mount(archive);
    const expected = await access(source, true);
    assert.match(expected, /^1234 1234 \.\/user-granted r/m);
    assert.match(expected, /^3000 2000 \.\/group-denied -/m);
    assert.equal(await access(place.root, true), expected);
    const list = "cd $1 && find . | LC_ALL=C sort | xargs getfacl -np";
    assert.equal((await place.sh(list)).stdout, (await sh(list, "/", source)).stdout);
  },
});

Deno.test({
  name: "a mounted snapshot gives every user what its ACLs give him",
  ignore,
  fn: async () => {
    await using store = await PbsStore.create();
    await using place = new ArchiveMount();
    const source = await makeFiles(place.home);
    await store.backup(["root.pxar:" + source, "--backup-id", "acl"]);
    const { stdout } = await store.run(["snapshots", "--format", "json"]);
    const time = /"backup[-_]time":\s*(\d+)/.exec(stdout)?.[1];
    const snapshot = `host/acl/${new Date(Number(time) * 1000).toISOString().replace(".000", "")}`;
    await store.must(["mount", snapshot, "root.pxar", place.root]);
    assert.equal(await access(place.root, true), await access(source, true));
  },
});

/** What becomes of ACLs, umask, modes and set-group-id in the working directory; one text. */
const CHANGE_ACLS = `
  show() { getfacl -np "$@" | grep -v '^# file'; stat -c '%a %u %g' "$@"; }
  as() { setpriv --reuid=$1 --regid=$2 --clear-groups sh -c "$3"; }
  mkdir d; chmod 777 d; setfacl -m d:u:1234:rwx,d:g:3000:r-x,d:o::--- d; show d
  umask 077
  as 1000 1000 'echo 1 > d/file; mkdir d/sub; mkfifo d/fifo; ln -s file d/link'
  show d/file d/sub d/fifo
  as 1000 1000 'echo 2 > d/sub/deeper'; show d/sub/deeper
  rm d/file; echo 3 > d/file; show d/file
  setfacl -k d; echo 4 > d/plain; mkdir d/plain-directory; show d/plain d/plain-directory
  umask 022; echo 5 > other; show other
  chmod 640 d/file; show d/file
  setfacl -b d/file; show d/file
  setfacl -m u:7:rwx,m::r d/file; show d/file; chmod 770 d/file; show d/file
  touch g; chown 5000:6000 g
  for gid in 5000 6000; do
    chmod 2755 g; as 5000 $gid 'setfacl -m u:1:rwx g'; show g
    chmod 2755 g; as 5000 $gid 'chmod 2770 g'; show g
  done
  as 5001 5001 'setfacl -m u:5001:rwx g' || echo refused
  as 5001 5001 'cat d/file' || echo closed
`;

Deno.test({
  name: "a writable mount with --xattrs keeps ACLs as a plain directory does, over remounts",
  ignore,
  fn: async () => {
    using home = new TempDirectory("acl");
    const sample = home.join("sample");
    const plain = home.join("plain");
    for (const path of [sample, plain]) Deno.mkdirSync(path);
    Deno.writeTextFileSync(`${sample}/lower`, "lower\n");
    Deno.mkdirSync(`${sample}/gone`);
    Deno.writeTextFileSync(`${sample}/gone/name`, "lower\n");
    const catalog = buildDirectoryCatalog(home.join("catalog"), sample);
    await using place = new MountPlace("acl");
    const request = { store: home.join("catalog"), ...catalog, options: ["--xattrs"] };
    await place.mount(request);
    await sh("chmod 755 .", place.root);
    const changes = `exec 2>&1; ${CHANGE_ACLS}`;
    assert.equal(
      (await sh(changes, place.root)).stdout,
      (await sh(changes, plain)).stdout,
    );
    // A name that the backup has too is made elsewhere first, and inherits all the same.
    const again = "setfacl -m d:u:9:rw gone; rm -f gone/name; echo new > gone/name; " +
      "rm -rf gone/sub; mkdir gone/sub; getfacl -np gone/name gone/sub";
    await sh("cp -a ../sample/gone . 2>/dev/null || mkdir gone", plain);
    assert.equal((await sh(again, place.root)).stdout, (await sh(again, plain)).stdout);
    await sh(MAKE_FILES, place.root);
    const source = await makeFiles(home);
    const expected = await access(source);
    const known = new Set(expected.split("\n").map((line) => line.slice(0, -2)));
    const shown = async () => {
      const lines = (await access(place.root)).split("\n");
      return lines.filter((line) => known.has(line.slice(0, -2))).join("\n");
    };
    assert.equal(await shown(), expected);
    await place.unmount();
    // The diff knows: without its ACLs, modes would give more than they do.
    await place.mount({ store: request.store });
    assert.equal(await shown(), expected);
    await place.unmount();
  },
});

Deno.test({
  name: "a mount without --xattrs refuses ACLs",
  ignore,
  fn: async () => {
    using home = new TempDirectory("acl");
    const sample = home.join("sample");
    Deno.mkdirSync(sample);
    const catalog = buildDirectoryCatalog(home.join("catalog"), sample);
    await using place = new MountPlace("acl");
    await place.mount({ store: home.join("catalog"), ...catalog });
    const { stdout } = await sh(
      "touch f; setfacl -m u:1234:rw f 2>&1 || true; getfacl -np f | grep -c 1234 || true",
      place.root,
    );
    assert.match(stdout, /Operation not supported\n0\n/);
    await place.unmount();
  },
});
