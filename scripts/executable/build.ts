/**
 * Makes `dist/pbkfs`; called by `scripts/build`, which gives the permissions.
 *
 * The same sources and the same Deno give the same bytes, wherever and whenever they are built: no
 * place, time, language or other setting of the machine gets into them, and which of the two forms
 * is made depends on the Deno alone. That is the entry-stub form of {@link packExecutable}, or that
 * of `deno compile` from a Deno that cannot be packed (docs/executable.md).
 *
 * @module
 */

import { bundleProgram } from "./bundle.ts";
import { PackError, packExecutable } from "./elf_pack.ts";
import { runDeno } from "./run_deno.ts";

const OUTPUT = "dist/pbkfs";
const COMPILE_TIMEOUT_MS = 120_000;

/** What the program reads of its environment (README, "Environment"; docs/pbs.md). */
const VARIABLES = [
  "ALL_PROXY",
  "BACKUP_PATH",
  "HOME",
  "PATH",
  "PBKFS_FS_WORKERS",
  "PBKFS_LOG",
  "PBKFS_MATERIALIZE_ON_READ",
  "COLUMNS",
  "PBS_ENCRYPTION_PASSWORD",
  "PBS_ENCRYPTION_PASSWORD_CMD",
  "PBS_ENCRYPTION_PASSWORD_FD",
  "PBS_ENCRYPTION_PASSWORD_FILE",
  "PBS_FINGERPRINT",
  "PBS_NAMESPACE",
  "PBS_PASSWORD",
  "PBS_PASSWORD_CMD",
  "PBS_PASSWORD_FD",
  "PBS_PASSWORD_FILE",
  "PBS_REPOSITORY",
  "PROXMOX_OUTPUT_FORMAT",
  "PROXMOX_OUTPUT_NO_BORDER",
  "PROXMOX_OUTPUT_NO_HEADER",
  "PXAR_LOG",
  "SSL_CERT_FILE",
  "XDG_CONFIG_HOME",
  "XDG_RUNTIME_DIR",
];

/** Baked into the executable; why each is needed: docs/permissions.md. */
const PERMISSIONS = [
  "--allow-ffi",
  "--allow-read",
  "--allow-write",
  `--allow-env=${VARIABLES.join(",")}`,
  "--allow-run",
  "--allow-net",
  "--allow-sys=hostname",
];

/** The thread for the network has permissions of its own (`src/threads/network_thread.ts`). */
const UNSTABLE = ["--unstable-worker-options"];

/**
 * Three isolates in one process: each would let its young objects take up to 32 MiB before it
 * collects, and a worker that waits in the kernel never gives them back. Requests leave little
 * garbage, so small is fast enough. What is not young any more may grow by a fifth before it is
 * collected, not by several times: a copy of an archive with a million entries then takes 110 MiB
 * instead of 170.
 */
const V8_FLAGS = ["--v8-flags=--max-semi-space-size=1,--heap-growing-percent=20"];

/** The bundle is all there is: nothing is looked up, fetched, checked or asked for. */
const RUN_ARGUMENTS = [
  "run",
  "--no-prompt",
  "--no-config",
  "--no-lock",
  "--no-check",
  "--cached-only",
  "--no-remote",
  "--no-npm",
  "--no-code-cache",
  "--ext=js",
  ...UNSTABLE,
  ...V8_FLAGS,
  ...PERMISSIONS,
];

async function compile(directory: string): Promise<string> {
  const program = await bundleProgram("deno compile", directory);
  const output = `${directory}/pbkfs`;
  await runDeno(
    ["compile", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--no-check"]
      .concat(UNSTABLE, V8_FLAGS, PERMISSIONS, ["--output", output, program]),
    { timeoutMs: COMPILE_TIMEOUT_MS },
  );
  return output;
}

async function pack(directory: string): Promise<string> {
  const program = await bundleProgram("entry stub", directory);
  const output = `${directory}/pbkfs`;
  // Whatever wrapper `deno` on the PATH may be, execPath is the runtime itself.
  const runtime = await Deno.readFile(Deno.execPath());
  const packed = packExecutable(runtime, await Deno.readFile(program), RUN_ARGUMENTS);
  await Deno.writeFile(output, packed);
  return output;
}

async function make(directory: string): Promise<{ kind: string; path: string }> {
  const stage = async (name: string) => {
    await Deno.mkdir(`${directory}/${name}`);
    return `${directory}/${name}`;
  };
  try {
    return { kind: "entry stub", path: await pack(await stage("packed")) };
  } catch (error) {
    if (!(error instanceof PackError)) throw error;
    console.error(`${error.message}; using deno compile`);
    return { kind: "deno compile", path: await compile(await stage("compiled")) };
  }
}

const directory = await Deno.makeTempDir({ dir: "dist", prefix: ".build-" });
try {
  const { kind, path } = await make(directory);
  await Deno.chmod(path, 0o755);
  const bytes = await Deno.readFile(path);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  await Deno.writeTextFile(`${path}.sha256`, `${digest}  pbkfs\n`);
  // By rename: a running executable cannot be written, and nobody sees half a file.
  await Deno.rename(path, OUTPUT);
  await Deno.rename(`${path}.sha256`, `${OUTPUT}.sha256`);
  console.log(
    `${OUTPUT}: ${
      (bytes.length / 1e6).toFixed(1)
    } MB, ${kind} of Deno ${Deno.version.deno}, sha256 ${digest}`,
  );
} finally {
  await Deno.remove(directory, { recursive: true });
}
