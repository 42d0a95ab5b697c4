/**
 * Mounted archives: equal to what is extracted from them, for several processes at a time.
 *
 * @module
 */

import assert from "node:assert/strict";
import { findMount } from "#src/mount/mod.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { runReadOnlySuite } from "#tests/support/posix_run.ts";
import { type CommandResult, runCommand, waitUntil } from "#tests/support/process.ts";
import { PXAR_FIXTURES } from "#tests/support/pxar_fixtures.ts";
import { walkInChild } from "#tests/support/walk.ts";
import { ArchiveMount, pbkfs } from "./_archive_mount.ts";

const IS_ROOT = Deno.uid() === 0;
const TIMEOUT_MS = 60_000;

async function mustMount(mount: ArchiveMount, archive: string): Promise<void> {
  assert.deepEqual(await mount.mount(archive), { code: 0, stdout: "", stderr: "" });
}

/**
 * Everything stat(2) and listxattr(2) tell but inode numbers, and sizes and link counts of
 * directories.
 */
const DESCRIBE = String.raw`cd "$1" &&
  find . -type d -printf '%P %y %m %U %G %Ts\n' -o -printf '%P %y %m %U %G %s %n %l %T@\n' | sort &&
  find . -type b -o -type c | sort | xargs -r stat -c '%n %t %T' &&
  find . ! -type l -print0 | sort -z | xargs -0 getfattr -h -d -m - -e hex --absolute-names`;

function describe(directory: string): Promise<CommandResult> {
  return runCommand(["sh", "-c", DESCRIBE, "sh", directory], { timeoutMs: TIMEOUT_MS });
}

/**
 * Without times: those of symbolic links and all others are compared by their seconds and fractions
 * apart.
 */
for (
  const name of ["kinds.pxar", "kinds.mpxar", "hardlinks.pxar", "real-create.pxar", "reuse.mpxar"]
) {
  Deno.test({
    name: `a mounted archive is equal to its extraction: ${name}`,
    ignore: !IS_ROOT,
    fn: async () => {
      const archive = `${PXAR_FIXTURES}/${name}`;
      await using mount = new ArchiveMount();
      const extracted = mount.home.join("extracted");
      // Immutable files could not be removed again; project ids need a file system with quotas.
      await pbkfs(["pxar", "extract", archive, extracted, "--no-flags"]);
      await mustMount(mount, archive);
      const [mounted, wanted] = await Promise.all([describe(mount.root), describe(extracted)]);
      assert.equal(mounted.stdout, wanted.stdout);
      const contents = 'cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum';
      const processes = await Promise.all(
        [1, 2, 3, 4].map(() => mount.sh(contents)),
      );
      const digests = await runCommand(["sh", "-c", contents, "sh", extracted], {
        timeoutMs: TIMEOUT_MS,
      });
      for (const { stdout } of processes) assert.equal(stdout, digests.stdout);
      assert.equal((await pbkfs(["unmount", "-D", mount.root])).code, 0);
      assert.equal(findMount(mount.root), undefined);
    },
  });
}

Deno.test("pbkfs stat tells what a mounted archive has done, and counts from zero when told", async () => {
  await using mount = new ArchiveMount();
  const tree = mount.home.join("tree");
  Deno.mkdirSync(tree);
  Deno.writeFileSync(`${tree}/file`, new Uint8Array(300_000).fill(7));
  const archive = mount.home.join("t.pxar");
  await pbkfs(["pxar", "create", archive, tree], true);
  await mustMount(mount, archive);
  await mount.sh('cat "$1/file" >/dev/null && ! test -e "$1/missing"');
  const stat = async (...options: string[]) => {
    const { stdout } = await pbkfs(["stat", "-D", mount.root, ...options], true);
    return stdout;
  };
  const report = JSON.parse(await stat("--format", "json"));
  assert.equal(report.mount.fsname, `pbkfs:${archive}`);
  assert.ok(report.mount.workers >= 1);
  assert.ok(report.operations.read.bytes >= 300_000, JSON.stringify(report));
  assert.ok(report.operations.lookup.count >= 2);
  assert.ok(report.fuse.tasks_total >= report.operations.read.count + 2);
  assert.equal(report.waiting.requests, 0);
  for (const section of ["overlay", "diff", "index", "cache"]) assert.ok(!(section in report));
  const text = await stat("--counters-reset");
  assert.match(text, /^pbkfs:.*t\.pxar: mounted for /);
  assert.match(text, /^read +.* 293kB /m);
  assert.ok(!text.includes("undefined") && !text.includes("NaN") && !text.includes("diff"), text);
  assert.equal(JSON.parse(await stat("--format", "json")).operations.read, undefined);
  assert.equal((await pbkfs(["unmount", "-D", mount.root])).code, 0);
});

Deno.test("a mounted archive passes the read-only part of the POSIX suite", async () => {
  await using mount = new ArchiveMount();
  const tree = mount.home.join("tree");
  Deno.mkdirSync(`${tree}/sub/deeper`, { recursive: true });
  Deno.writeTextFileSync(`${tree}/hello.txt`, "hello\n");
  Deno.writeFileSync(`${tree}/sub/large`, new Uint8Array(3_000_001).map((_, i) => i * 31 >> 3));
  Deno.writeTextFileSync(`${tree}/sub/deeper/empty`, "");
  Deno.linkSync(`${tree}/hello.txt`, `${tree}/sub/link`);
  Deno.symlinkSync("hello.txt", `${tree}/symlink`);
  for (let i = 0; i < 500; i++) Deno.writeTextFileSync(`${tree}/sub/deeper/name-${i}`, `${i}`);
  const manifest = mount.home.join("manifest");
  const entries = await walkInChild(tree);
  Deno.writeTextFileSync(manifest, entries.map((entry) => JSON.stringify(entry)).join("\n"));
  for (const archive of [mount.home.join("t.pxar"), mount.home.join("t.mpxar")]) {
    assert.equal((await pbkfs(["pxar", "create", archive, tree])).stderr, "");
    await mustMount(mount, archive);
    const { failed, output } = await runReadOnlySuite(mount.root, manifest);
    assert.deepEqual(failed, [], output);
    assert.equal((await pbkfs(["unmount", "-D", mount.root])).code, 0);
  }
});

Deno.test("a mounted archive says what it is, and its worker ends with it", async () => {
  await using mount = new ArchiveMount();
  const archive = `${PXAR_FIXTURES}/onefile.pxar`;
  const { stdout } = await mount.mount(archive, ["--format", "json"]);
  const { state, pid } = JSON.parse(stdout);
  assert.equal(state, "mounted");
  const info = findMount(mount.root)!;
  assert.equal(info.type, "fuse.pbkfs");
  const { stdout: options } = await mount.sh('findmnt -no SOURCE,OPTIONS "$1"');
  assert.match(options, /^pbkfs:\S*onefile\.pxar +ro,nosuid,nodev,/);
  const { stdout: usage } = await mount.sh('stat -f -c "%S %b %f %l" "$1"');
  assert.equal(usage, "4096 1 0 255\n");
  const again = await mount.mount(archive, ["--format", "json"]);
  assert.equal(again.code, 1);
  assert.equal(JSON.parse(again.stderr).code, "busy");
  assert.equal((await pbkfs(["unmount", "-D", mount.root])).code, 0);
  const ps = ["ps", "-o", "stat=", "-p", String(pid)];
  const found = await runCommand(ps, { timeoutMs: 5000, check: false });
  // The first process of a container may take its time to note the end of one.
  assert.match(found.stdout, /^(?:Z.*)?$/m, `process ${pid} has ended with the unmount`);
});

Deno.test("a split archive is mounted without its payload stream, below /dev too, with a warning", async () => {
  await using mount = new ArchiveMount();
  const archive = mount.home.join("alone.mpxar");
  Deno.copyFileSync(`${PXAR_FIXTURES}/onefile.mpxar`, archive);
  const { stdout } = await mount.sh("mktemp -d /dev/shm/pbkfs-mount-XXXXXX");
  const root = stdout.trim();
  try {
    const { code, stderr } = await pbkfs(["pxar", "mount", archive, root]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^warning: No payload stream/);
    assert.equal(findMount(root)?.type, "fuse.pbkfs");
    assert.equal((await pbkfs(["unmount", "-D", root])).code, 0);
  } finally {
    await runCommand(["umount", "-l", root], { timeoutMs: 10_000, check: false });
    Deno.removeSync(root);
  }
});

Deno.test("a mounted archive in use is unmounted by force only", async () => {
  await using mount = new ArchiveMount();
  await mustMount(mount, `${PXAR_FIXTURES}/onefile.pxar`);
  const user = new Deno.Command("tail", {
    args: ["-f", `${mount.root}/hello.txt`],
    stdout: "null",
  }).spawn();
  try {
    await waitUntil(
      async () => (await mount.sh('fuser -sm "$1"', false)).code === 0,
      10_000,
      () => "the file to be open",
    );
    const refused = await pbkfs(["unmount", "-D", mount.root, "--format", "json"]);
    assert.equal(JSON.parse(refused.stderr).code, "busy");
    assert.match(JSON.parse(refused.stderr).message, new RegExp(`tail \\(process ${user.pid}\\)`));
    assert.equal((await pbkfs(["unmount", "-D", mount.root, "--force"])).code, 0);
    assert.equal(findMount(mount.root), undefined);
  } finally {
    user.kill("SIGKILL");
    await user.status;
  }
});

Deno.test("no command waits for the worker of an archive that is stopped, and --force ends it", async () => {
  await using mount = new ArchiveMount();
  const { stdout } = await mount.mount(`${PXAR_FIXTURES}/onefile.pxar`, ["--format", "json"]);
  const { pid } = JSON.parse(stdout);
  Deno.kill(pid, "SIGSTOP");
  for (const args of [["stat", "-D", mount.root], ["unmount", mount.root]]) {
    const { code, stderr } = await pbkfs(args);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`worker ${pid} .* is stopped`));
  }
  assert.equal((await pbkfs(["unmount", mount.root, "--force"], true)).stderr, "");
  assert.equal(findMount(mount.root), undefined);
});

Deno.test("a bind mount of an archive is named, and --force finds the worker behind it", async () => {
  await using mount = new ArchiveMount();
  if (Deno.uid() !== 0) return;
  await mustMount(mount, `${PXAR_FIXTURES}/onefile.pxar`);
  const bind = mount.home.join("bind");
  await mount.sh(`mkdir ${bind} && mount --bind "$1" ${bind}`);
  const { code, stderr } = await pbkfs(["unmount", mount.root]);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`still mounted at ${bind}`));
  await pbkfs(["unmount", mount.root, "--force"], true);
  assert.equal(findMount(bind), undefined);
  assert.match((await pbkfs(["unmount", mount.root])).stderr, /is not mounted/);
});

Deno.test("a mount in the foreground ends with SIGINT", async () => {
  await using mount = new ArchiveMount();
  const child = new Deno.Command(pbkfsCommand([])[0]!, {
    args: [
      ...pbkfsCommand([]).slice(1),
      "pxar",
      "mount",
      `${PXAR_FIXTURES}/onefile.pxar`,
      mount.root,
      "--verbose",
      "true",
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await waitUntil(() => findMount(mount.root) !== undefined, 20_000, () => "the mount");
  assert.equal((await mount.sh('cat "$1/hello.txt"')).stdout, "Hello, pxar!\n");
  child.kill("SIGINT");
  const { code, stderr } = await child.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  assert.match(new TextDecoder().decode(stderr), /mounted/);
  assert.equal(findMount(mount.root), undefined);
});
