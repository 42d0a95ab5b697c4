/**
 * An ordinary user mounts for himself. Runs in a mount namespace of its own, in which everybody may
 * open the FUSE device, as on most desktops; left out where such a namespace cannot be had.
 *
 * @module
 */

import assert from "node:assert/strict";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { SERVER_USER } from "#tests/support/postgres.ts";
import { type CommandResult, hasPrograms, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const TIMEOUT_MS = 120_000;

/**
 * In the namespace: no mounts of tests beside this one, which would live on here; a device node for
 * everybody in place of the system's; then the commands.
 */
const PRELUDE = `
set -u
while read -r _ path type _; do
  case $type in fuse|fuse.*) umount -l "$path" ;; esac
done </proc/self/mounts
HOME_DIR=$1 STORE=$2 PBKFS=$3
MNT=$HOME_DIR/mnt DIFF=$HOME_DIR/diff
mknod -m "$4" "$HOME_DIR/fuse" c 10 229 && mount --bind "$HOME_DIR/fuse" /dev/fuse || exit 77
user() { setpriv --reuid=${SERVER_USER} --regid=${SERVER_USER} --init-groups "$@"; }
pbkfs() { user "$PBKFS" "$@"; }
mount_again() { pbkfs mount -B "$STORE" -D "$MNT" -d "$DIFF" --wait "$@"; }
worker() { sed -n 's/.*"pid": \\([0-9]*\\).*/\\1/p' "$DIFF/.pbkfs-lock"; }
is_mounted() { grep -q " $MNT " /proc/self/mounts; }
say() { echo "$1: $?"; }
`;

/** Runs a script as described; undefined where there can be no such namespace. */
async function inNamespace(script: string, deviceMode = "666"): Promise<CommandResult | undefined> {
  if (Deno.uid() !== 0) return undefined;
  const fixture = await pgprobackupFixture("a-stream-none");
  assert.ok(fixture);
  using home = new TempDirectory("user");
  // The user may enter neither the checkout nor root's caches.
  const program = home.join("pbkfs");
  const [built] = pbkfsCommand([]);
  await runCommand(["cp", built!, program], { timeoutMs: TIMEOUT_MS });
  await runCommand(["cp", "-r", fixture.catalog, home.join("catalog")], { timeoutMs: TIMEOUT_MS });
  Deno.mkdirSync(home.join("mnt"));
  await runCommand(["chown", "-R", SERVER_USER, home.path], { timeoutMs: TIMEOUT_MS });
  const command = ["unshare", "--mount", "sh", "-c", PRELUDE + script, "sh"];
  const result = await runCommand(
    [...command, home.path, home.join("catalog"), program, deviceMode],
    { timeoutMs: TIMEOUT_MS, check: false },
  );
  return result.code === 77 ? undefined : result;
}

Deno.test("mount works for an ordinary user, again and again", async () => {
  const result = await inNamespace(`
    mount_again -I main -i TOTXQL; say mount
    user stat -c '%U %a' "$MNT" "$MNT/base" "$DIFF"
    user cat "$MNT/PG_VERSION"
    user sh -c 'echo new >"$0/made" && rm "$0/backup_label" && sync "$0/made"' "$MNT"; say write
    pbkfs stat -D "$MNT" >/dev/null; say stat
    pbkfs unmount -D "$MNT"; say unmount
    mount_again; say remount
    user ls "$MNT/made" "$MNT/backup_label" 2>/dev/null | wc -l
    kill -9 "$(worker)"; sleep 0.5
    mount_again; say repair
    kill -9 "$(worker)"; sleep 0.5
    pbkfs unmount -D "$MNT"; say dead
    is_mounted; say mounted
    mount_again; kill -TERM "$(worker)"; while is_mounted; do sleep 0.1; done
    echo end
  `);
  if (result === undefined) return;
  assert.deepEqual(result.stdout.trimEnd().split("\n"), [
    "mount: 0",
    `${SERVER_USER} 700`,
    `${SERVER_USER} 700`,
    `${SERVER_USER} 700`,
    "15",
    "write: 0",
    "stat: 0",
    "unmount: 0",
    "remount: 0",
    "1",
    "repair: 0",
    "dead: 0",
    "mounted: 1",
    "end",
  ], result.stderr);
});

Deno.test("mount refuses an ordinary user what is root's, and root may help", async () => {
  const result = await inNamespace(`
    mount_again -I main -i TOTXQL --owner root 2>&1; say owner
    mount_again -I main -i TOTXQL --allow-other 2>&1; say other
    mount_again -I main -i TOTXQL; say mount
    "$PBKFS" stat -D "$MNT" >/dev/null; say 'stat of root'
    "$PBKFS" unmount -D "$MNT" -d "$DIFF"; say 'unmount by root'
    "$PBKFS" mount -B "$STORE" -D "$MNT" -d "$DIFF" --wait; say 'mount by root'
    pbkfs stat -D "$MNT" >/dev/null 2>&1; say 'stat of user'
    pbkfs stat -D "$MNT" 2>&1 | grep -q 'cannot be seen.*user_id=0'; say 'its reason'
    pbkfs unmount -D "$MNT" >/dev/null 2>&1; say 'unmount by user'
    "$PBKFS" unmount -D "$MNT"; say 'unmount by root'
    mount_again; say 'mount by user'
    pbkfs unmount -D "$MNT" --force; say force
  `);
  if (result === undefined) return;
  const lines = result.stdout.trimEnd().split("\n");
  assert.match(
    lines.join("\n"),
    /Cannot use --owner: only root can mount for another user\nowner: 2/,
  );
  assert.match(lines.join("\n"), /Cannot use --allow-other: .*\nother: 2\nmount: 0/);
  // Root may not enter the mount, and need not.
  assert.deepEqual(lines.slice(lines.indexOf("mount: 0") + 1), [
    "stat of root: 0",
    "unmount by root: 0",
    "mount by root: 0",
    "stat of user: 1",
    "its reason: 0",
    "unmount by user: 1",
    "unmount by root: 0",
    "mount by user: 0",
    "force: 0",
  ], result.stderr);
});

Deno.test({
  name: "a writable mount of an archive works for an ordinary user, where fusermount3 is installed",
  ignore: Deno.uid() !== 0 || !hasPrograms("fusermount3", "setpriv"),
  async fn() {
    const result = await inNamespace(`
      user sh -c 'mkdir -p "$0/tree/d" && echo one >"$0/tree/d/f" && echo two >"$0/tree/g" &&
        head -c 3000000 /dev/zero >"$0/tree/big" && chmod 444 "$0/tree/g"' "$HOME_DIR"
      pbkfs pxar create "$HOME_DIR/x.pxar" "$HOME_DIR/tree"; say create
      mount_archive() { pbkfs pxar mount "$HOME_DIR/x.pxar" "$MNT" --diff-dir "$DIFF" "$@"; }
      mount_archive; say mount
      grep " $MNT " /proc/self/mounts | grep -c "fuse.pbkfs.*user_id=$(id -u ${SERVER_USER})"
      user sh -c 'cd "$0" && echo more >>d/f && rm g && mkdir e && echo new >e/n && sync e/n &&
        printf Z | dd of=big bs=1 seek=1000000 conv=notrunc 2>/dev/null' "$MNT"; say write
      ls "$MNT" >/dev/null 2>&1; say 'list as root'
      user stat -c '%U %a' "$DIFF" "$MNT/e"
      kill -9 "$(worker)"; while kill -0 "$(worker)" 2>/dev/null; do sleep 0.1; done
      mount_archive; say repair
      user cat "$MNT/d/f" "$MNT/e/n"; user ls "$MNT"
      user sh -c 'tr -d "\\0" <"$0/big"; wc -c <"$0/big"' "$MNT"
      user chown root "$MNT/e" 2>/dev/null; say chown
      pbkfs stat -D "$MNT" >/dev/null; say stat
      pbkfs unmount -D "$MNT"; say unmount
      is_mounted; say mounted
      "$PBKFS" pxar mount "$HOME_DIR/x.pxar" "$MNT" --diff-dir "$DIFF"; say 'mount by root'
      cat "$MNT/e/n"; "$PBKFS" unmount -D "$MNT"; say 'unmount by root'
      mount_archive; say 'mount by user'
      user sh -c 'echo again >>"$0/d/f"' "$MNT"; say 'write again'
      pbkfs unmount -D "$MNT" --force; say force
      pbkfs cleanup -d "$DIFF" >/dev/null; say cleanup
    `);
    if (result === undefined) return console.warn("skipped: no mount namespaces here");
    assert.deepEqual(result.stdout.trimEnd().split("\n"), [
      "create: 0",
      "mount: 0",
      "1",
      "write: 0",
      "list as root: 2",
      `${SERVER_USER} 700`,
      `${SERVER_USER} 755`,
      "repair: 0",
      ...["one", "more", "new"],
      ...["big", "d", "e"],
      "Z3000000",
      "chown: 1",
      "stat: 0",
      "unmount: 0",
      "mounted: 1",
      "mount by root: 0",
      "new",
      "unmount by root: 0",
      "mount by user: 0",
      "write again: 0",
      "force: 0",
      "cleanup: 0",
    ], result.stderr);
  },
});

Deno.test("an ordinary user's commands do not wait for a worker that is stopped either", async () => {
  const result = await inNamespace(`
    mount_again -I main -i TOTXQL; say mount
    kill -STOP "$(worker)"
    pbkfs stat -D "$MNT" 2>&1 | grep -q 'is stopped'; say stat
    pbkfs unmount -D "$MNT" 2>&1 | grep -q 'is stopped'; say unmount
    pbkfs unmount -D "$MNT" --force; say force
    is_mounted; say mounted
    mount_again; say remount
    pbkfs unmount -D "$MNT"; say end
  `);
  if (result === undefined) return;
  assert.deepEqual(result.stdout.trimEnd().split("\n"), [
    "mount: 0",
    "stat: 0",
    "unmount: 0",
    "force: 0",
    "mounted: 1",
    "remount: 0",
    "end: 0",
  ], result.stderr);
});

Deno.test("mount tells root that there is no FUSE device", async () => {
  const result = await inNamespace(`
    mount -t tmpfs none /dev
    for node in 'null 1 3' 'zero 1 5' 'random 1 8' 'urandom 1 9'; do
      set -- $node; mknod -m 666 /dev/$1 c $2 $3
    done
    "$PBKFS" mount -B "$STORE" -I main -i TOTXQL -D "$MNT" -d "$DIFF" --wait 2>&1; say mount
  `);
  if (result === undefined) return;
  assert.match(result.stdout, /Cannot open "\/dev\/fuse": ENOENT .*modprobe fuse.*\nmount: 1\n/s);
});

Deno.test("mount fails at once when the user may not open the device, told to wait or not", async () => {
  const result = await inNamespace(
    `
    chown root "$HOME_DIR/fuse"
    mount_again -I main -i TOTXQL 2>&1; say wait
    pbkfs mount -B "$STORE" -D "$MNT" -d "$DIFF" 2>&1; say background
  `,
    "600",
  );
  if (result === undefined) return;
  assert.equal(
    result.stdout.match(/Cannot open "\/dev\/fuse": EACCES .*: Open it to this user/g)?.length,
    2,
  );
  assert.match(result.stdout, /wait: 1\n/);
  assert.match(result.stdout, /background: 1\n/);
});
