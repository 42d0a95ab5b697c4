/**
 * The program under test, as a user runs it: the built executable where there is one, else the
 * sources.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { asServerUser, SERVER_USER } from "#tests/support/postgres.ts";
import {
  type CommandResult,
  denoRunCommand,
  runCommand,
  waitUntil,
} from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));

/** What `mount` is documented to need when run from source. */
const MOUNT_PERMISSIONS = [
  "--allow-ffi",
  "--allow-read",
  "--allow-run",
  "--allow-env=BACKUP_PATH,PBKFS_FS_WORKERS,PBKFS_LOG,PBKFS_MATERIALIZE_ON_READ",
];

const MOUNT_TIMEOUT_MS = 60_000;
const UNMOUNT_TIMEOUT_MS = 60_000;

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The command line of pbkfs: `PBKFS_BIN`, `dist/pbkfs`, or the sources. */
export function pbkfsCommand(args: readonly string[]): string[] {
  const wanted = Deno.env.get("PBKFS_BIN");
  if (wanted !== undefined && wanted !== "") return [wanted, ...args];
  const built = `${CHECKOUT}dist/pbkfs`;
  if (isFile(built)) return [built, ...args];
  return denoRunCommand(MOUNT_PERMISSIONS, `${CHECKOUT}main.ts`, args);
}

/** Runs pbkfs to its end; throws unless it succeeds. */
export function runPbkfs(args: readonly string[], timeoutMs = 60_000): Promise<CommandResult> {
  return runCommand(pbkfsCommand(args), { timeoutMs });
}

/**
 * Kills the worker of a mount point, whose process is no child of ours, and waits until it is gone.
 */
async function endWorker(pid: number, mountPoint: string): Promise<void> {
  const ps = ["ps", "-o", "stat=,args=", "-p", String(pid)];
  const options = { timeoutMs: 10_000, check: false };
  const isGone = async () => {
    const { stdout } = await runCommand(ps, options);
    // A record may outlive its process, and the number may have gone to another one.
    if (stdout.trim() === "" || stdout.startsWith("Z") || !stdout.includes(mountPoint)) return true;
    await runCommand(["kill", "-9", String(pid)], options);
    return false;
  };
  await waitUntil(isGone, 10_000, () => `process ${pid} to end`);
}

/** What to mount where. */
export interface MountRequest {
  readonly store: string;
  /** Without instance and backup the diff directory must have been mounted before. */
  readonly instance?: string;
  readonly backupId?: string;
  /** More options of `mount`. */
  readonly options?: readonly string[];
}

/**
 * A mount point with a diff directory of its own. Leaving a `using` block detaches what is still
 * mounted and removes both, whatever went wrong before.
 */
export class MountPlace implements AsyncDisposable {
  readonly #home: TempDirectory;
  /** The mount point. */
  readonly root: string;
  /** The diff directory. */
  readonly diff: string;

  constructor(name: string, diff?: string) {
    this.#home = new TempDirectory(name);
    this.root = this.#home.join("mnt");
    this.diff = diff ?? this.#home.join("diff");
    Deno.mkdirSync(this.root);
  }

  /** Mounts in the background and returns when the mount answers. */
  mount({ store, instance, backupId, options = [] }: MountRequest): Promise<CommandResult> {
    const chosen = [
      ...(instance === undefined ? [] : ["-I", instance]),
      ...(backupId === undefined ? [] : ["-i", backupId]),
    ];
    return runPbkfs(
      ["mount", "-B", store, "-D", this.root, "-d", this.diff, ...chosen, "--wait"]
        // Fixtures, which many use at a time, are left as they are.
        .concat("--no-lock", options),
      MOUNT_TIMEOUT_MS,
    );
  }

  /** Mounts for a server: everything belongs to the server's user. */
  mountForServer(request: MountRequest): Promise<CommandResult> {
    const owner = Deno.uid() === 0 ? ["--owner", SERVER_USER] : [];
    return this.mount({ ...request, options: [...owner, ...(request.options ?? [])] });
  }

  /** Unmounts cleanly. */
  unmount(): Promise<CommandResult> {
    return runPbkfs(["unmount", "-D", this.root], UNMOUNT_TIMEOUT_MS);
  }

  /** Unmounts what is left of a dead mount. */
  unmountByForce(): Promise<CommandResult> {
    return runPbkfs(["unmount", "-D", this.root, "-d", this.diff, "--force"], UNMOUNT_TIMEOUT_MS);
  }

  /** Process id of the background worker. */
  workerPid(): number {
    const record = JSON.parse(Deno.readTextFileSync(`${this.diff}/.pbkfs/worker.pid`));
    return Number(record.pid);
  }

  /** Statistics as `pbkfs stat` prints them. */
  async statistics(): Promise<Record<string, unknown>> {
    const { stdout } = await runPbkfs(["stat", "-D", this.root, "--format", "json"]);
    return JSON.parse(stdout);
  }

  /** Resident memory of the background worker, in bytes. */
  async workerMemory(): Promise<number> {
    const command = ["ps", "-o", "rss=", "-p", String(this.workerPid())];
    const { stdout } = await runCommand(command, { timeoutMs: 10_000 });
    return Number(stdout.trim()) * 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const options = { timeoutMs: 30_000, check: false };
    // After a failure: detached even if something holds it open, and nobody is left to write to the
    // diff.
    await runCommand(["umount", "-l", this.root], options);
    if (this.#hasWorkerRecord()) await endWorker(this.workerPid(), this.root);
    this.#home[Symbol.dispose]();
  }

  #hasWorkerRecord(): boolean {
    return isFile(`${this.diff}/.pbkfs/worker.pid`);
  }
}

/** Runs `pg_checksums --check` on a stopped cluster. */
export function checkPageChecksums(program: string, dataDirectory: string): Promise<CommandResult> {
  const command = asServerUser([program, "--check", "-D", dataDirectory]);
  return runCommand(command, { timeoutMs: 120_000, cwd: "/" });
}
