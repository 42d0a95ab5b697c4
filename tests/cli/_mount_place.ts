/**
 * A place for real mounts, made and ended by the program itself. Left out where there is no FUSE
 * device.
 *
 * @module
 */

import assert from "node:assert/strict";
import { kill, open, OpenFlag, umount } from "#ffi/libc/calls.ts";
import { findLockHolder } from "#src/overlay/diff_lock.ts";
import { isMounted } from "#src/mount/mod.ts";
import { pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { waitUntil } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { type ProgramOptions, type ProgramResult, runProgram } from "./_program.ts";

const HAS_FUSE = open("/dev/fuse", OpenFlag.RDWR) >= 0;
/** Signal that ends a worker without a chance to clean up. */
export const SIGKILL = 9;
/** The last backup of the fixture. */
export const LAST_ID = "TOTXQL";

/** A mount point and a diff directory; whatever is mounted at the end is taken down. */
export class MountPlace {
  readonly directory = new TempDirectory("mount");
  readonly mnt = this.directory.join("mnt");
  readonly diff = this.directory.join("diff");

  constructor(readonly catalog: string) {
    Deno.mkdirSync(this.mnt);
  }

  /**
   * Arguments that name store, mount point and diff directory; fixtures, which many use, are left
   * as they are.
   */
  get places(): string[] {
    return ["-B", this.catalog, "-D", this.mnt, "-d", this.diff, "--no-lock"];
  }

  /** Mounts the last backup of the fixture. */
  mount(args: readonly string[] = ["--wait"], options?: ProgramOptions): Promise<ProgramResult> {
    return runProgram(["mount", ...this.places, "-I", "main", "-i", LAST_ID, ...args], options);
  }

  async mustMount(args: readonly string[] = []): Promise<void> {
    const { code, stderr } = await this.mount(["--wait", ...args]);
    assert.equal(stderr, "");
    assert.equal(code, 0);
  }

  unmount(args: readonly string[] = []): Promise<ProgramResult> {
    return runProgram(["unmount", "-D", this.mnt, ...args]);
  }

  async mustUnmount(args: readonly string[] = []): Promise<void> {
    const { code, stderr } = await this.unmount(args);
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.ok(!isMounted(this.mnt));
    assert.equal(findLockHolder(this.diff), undefined);
  }

  /** Runs a shell command with the mount as working directory, in a process of its own. */
  async shell(script: string): Promise<string> {
    const { stdout, stderr, success } = await new Deno.Command("sh", {
      args: ["-c", `cd "$0" && ${script}`, this.mnt],
    }).output();
    const decoder = new TextDecoder();
    assert.ok(success, decoder.decode(stderr));
    return decoder.decode(stdout);
  }

  get workerPid(): number {
    return findLockHolder(this.diff)!.pid!;
  }

  get binding(): Record<string, unknown> {
    return JSON.parse(Deno.readTextFileSync(`${this.diff}/.pbkfs-binding.json`));
  }

  get log(): string {
    return Deno.readTextFileSync(`${this.diff}/data/.pbkfs/pbkfs.log`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pid = findLockHolder(this.diff)?.pid;
    if (pid !== undefined) kill(pid, SIGKILL);
    await waitUntil(
      () => findLockHolder(this.diff) === undefined,
      10_000,
      () => `worker ${pid} lives`,
      10,
    );
    while (isMounted(this.mnt)) umount(this.mnt, 2);
    this.directory[Symbol.dispose]();
  }
}

/** A test with a place of its own. */
export function mountTest(name: string, run: (place: MountPlace) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !HAS_FUSE,
    fn: async () => {
      const fixture = await pgprobackupFixture("a-stream-none");
      assert.ok(fixture !== undefined);
      await using place = new MountPlace(fixture.catalog);
      await run(place);
    },
  });
}

/** Whether there is such a name. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
