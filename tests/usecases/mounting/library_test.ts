import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { MNT_DETACH, open, OpenFlag, SIGTERM, umount } from "#ffi/libc/calls.ts";
import { isMounted } from "#src/mount/mod.ts";
import { buildArchive } from "#src/pxar/builder/build_archive.ts";
import { createOutputArchive } from "#src/usecases/archive/output_files.ts";
import { pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { AuthError, UsageError } from "#src/errors.ts";
import { mount } from "#src/usecases/mounting/mod.ts";
import { goldenDatastore, goldenKey } from "#tests/support/pbs_fixtures.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const HAS_FUSE = open("/dev/fuse", OpenFlag.RDWR) >= 0;
/** Exit codes of processes that a signal has ended begin here. */
const SIGNAL_EXIT = 128;
const CHILD = fileURLToPath(new URL("_library_child.ts", import.meta.url));

function makeArchive(directory: TempDirectory): string {
  const path = directory.join("a.pxar");
  Deno.mkdirSync(directory.join("tree/d"), { recursive: true });
  Deno.writeTextFileSync(directory.join("tree/d/f"), "content\n");
  using output = createOutputArchive({
    path,
    format: undefined,
    payloadPath: undefined,
    isReplacing: false,
    isDryRun: false,
  });
  buildArchive(directory.join("tree"), output, {});
  output.finish();
  return path;
}

Deno.test({
  name: "a program mounts an archive and a backup by the library, and stays what it is",
  ignore: !HAS_FUSE,
  async fn() {
    using directory = new TempDirectory("library-mount");
    const fixture = await pgprobackupFixture("a-stream-none");
    assert.ok(fixture !== undefined);
    const archive = makeArchive(directory);
    const [first, second, diff] = ["m1", "m2", "diff"].map((name) => directory.join(name));
    Deno.mkdirSync(first!);
    Deno.mkdirSync(second!);
    const args = [archive, first!, `${fixture.catalog}#main/latest`, second!, diff!];
    // All of them, for what /proc says of a process.
    const command = denoRunCommand(["--allow-all"], CHILD, args);
    using stack = new DisposableStack();
    stack.defer(() => {
      for (const path of [first!, second!]) while (isMounted(path)) umount(path, MNT_DETACH);
    });
    // A mask that would show in every mode of the mount.
    const { stdout, stderr, code } = await runCommand(
      ["sh", "-c", 'umask 077; exec "$@"', "sh", ...command],
      { timeoutMs: 120_000, check: false, cwd: directory.path },
    );
    assert.equal(code, SIGNAL_EXIT + SIGTERM, stderr);
    const { before, during, after, ...seen } = JSON.parse(stdout);
    assert.equal(before.umask, "0077");
    assert.deepEqual(during, before);
    assert.deepEqual(after, before);
    const { write, ...rest } = seen;
    assert.match(write, /Read-only file system/);
    assert.deepEqual(rest, {
      read: "content\n",
      busy: "busy",
      afterRefusal: "content\n",
      leftAt: 0,
      version: "15\n",
      made: true,
      modes: ["777", "666"],
      state: "Released",
      again: "changed\n",
      missing: "OsError",
      nowhere: "UsageError",
    });
    assert.ok(!isMounted(first!) && !isMounted(second!));
    const log = Deno.readTextFileSync(`${diff}/data/.pbkfs/pbkfs.log`);
    assert.match(log, /INFO mount: mounted mnt=/);
  },
});

Deno.test({
  name: "docs/mounts.md shows a program that mounts with two permissions",
  ignore: !HAS_FUSE,
  async fn() {
    using directory = new TempDirectory("library-example");
    const fixture = await pgprobackupFixture("a-stream-none");
    assert.ok(fixture !== undefined);
    const text = Deno.readTextFileSync(new URL("../../../docs/mounts.md", import.meta.url));
    const [, example] = /^```ts\n(.*?)^```$/ms.exec(text)!;
    const program = directory.join("example.ts");
    // In a module of this package's: that is how its own name is found without a registry.
    const found = import.meta.resolve("@pbkfs/pbkfs/mounting");
    Deno.writeTextFileSync(program, example!.replace("@pbkfs/pbkfs/mounting", found));
    const [mnt, diff] = [directory.join("mnt"), directory.join("diff")];
    Deno.mkdirSync(mnt);
    const args = [`${fixture.catalog}#main/latest`, mnt, diff];
    const permissions = ["--check", "--allow-ffi", "--allow-read"];
    const command = denoRunCommand(permissions, program, args);
    const { stdout } = await runCommand(command, { timeoutMs: 120_000 });
    assert.equal(stdout, "15\n\n");
    assert.ok(!isMounted(mnt));
  },
});

Deno.test({
  name: "mount() asks for the key of an encrypted snapshot, and throws what that throws",
  ignore: !HAS_FUSE,
  async fn() {
    using directory = new TempDirectory("library-key");
    const mountPath = directory.join("mnt");
    Deno.mkdirSync(mountPath);
    const source = `${goldenDatastore()}#host/enc/latest/root.pxar`;
    const { fingerprint, key } = goldenKey("keys/key-scrypt.json")!;
    const asked: string[] = [];
    {
      const encryptionKey = (wanted: string) => {
        asked.push(wanted);
        return Promise.resolve(key);
      };
      await using mounted = await mount(source, { mountPath, credentials: { encryptionKey } });
      assert.equal(mounted.mountPath, mountPath);
      assert.notEqual([...Deno.readDirSync(mountPath)].length, 0);
    }
    assert.deepEqual(asked, [fingerprint]);
    assert.ok(!isMounted(mountPath));
    await assert.rejects(mount(source, { mountPath }), AuthError);
    const refusal = new UsageError("no key today", { hint: "ask tomorrow" });
    const credentials = { encryptionKey: () => Promise.reject(refusal) };
    await assert.rejects(mount(source, { mountPath, credentials }), (error) => {
      assert.ok(error instanceof UsageError);
      assert.deepEqual([error.message, error.hint], ["no key today", "ask tomorrow"]);
      return true;
    });
    assert.ok(!isMounted(mountPath));
  },
});
