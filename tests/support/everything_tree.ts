/**
 * A tree with everything in it that an archive can hold, made and described by the system's own
 * tools, which share nothing with the program.
 *
 * @module
 */

import { runCommand } from "./process.ts";

const TIMEOUT_MS = 300_000;

/** Runs bash, for its `$'…'` names. @returns what it printed */
export async function bash(script: string, ...args: string[]): Promise<string> {
  const { stdout } = await runCommand(["bash", "-euc", script, "bash", ...args], {
    timeoutMs: TIMEOUT_MS,
  });
  return stdout;
}

const MAKE_TREE = `
cd "$1"
mkdir -p many deep empty 'sp ace'
for i in $(seq $2); do echo "file $i" >"many/f$i"; done
path=deep; for i in $(seq 60); do path=$path/d$i; done; mkdir -p "$path"; echo bottom >"$path/file"
echo hello >plain; chmod 4755 plain; chown 1000:1001 plain
: >nothing
ln plain hard; ln many/f1 'sp ace/hard to f1'
ln -s plain link; ln -s /nowhere/at/all dangling; chown -h 5:6 link
mkfifo fifo; mknod null c 1 3; mknod loop b 7 200
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
touch -- "$(printf 'n%.0s' $(seq 255))" $'not\\xff-utf\\xfe8' $'new\\nline' '-dash' '*?[x]'
truncate -s $3 sparse; echo start | dd of=sparse conv=notrunc status=none
echo end | dd of=sparse oflag=seek_bytes seek=$(($3 / 4 * 3)) conv=notrunc status=none
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
head -c 20 sparse | od -c; tail -c +$(($(stat -c %s sparse) / 4 * 3 + 1)) sparse | head -c 10 | od -c
`;

/**
 * Makes the tree in the empty directory `path`; needs root. @param sparseSize length of the file
 * that is one hole but for two words
 */
export async function makeEverythingTree(
  path: string,
  smallFileCount: number,
  sparseSize: number,
): Promise<void> {
  await bash(MAKE_TREE, path, String(smallFileCount), String(sparseSize));
}

/** Every attribute of every name, in lines. */
export async function describeTree(path: string): Promise<string> {
  return await bash(DESCRIBE, path);
}
