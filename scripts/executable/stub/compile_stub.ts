/**
 * Rebuilds the machine code of the entry stub from its source, where a compiler is at hand.
 *
 *     deno run --allow-read --allow-write --allow-run scripts/executable/stub/compile_stub.ts
 *
 * writes `scripts/executable/entry_stub_code.json`, the form in which the code is committed. A test
 * compares both, so that nobody has to trust bytes without source.
 *
 * @module
 */

const SOURCE_DIRECTORY = new URL(".", import.meta.url).pathname;

/** One processor the stub exists for. */
export interface StubTarget {
  /** Name in file names and in the committed code. */
  readonly architecture: "x86_64" | "aarch64";
  /** Prefix of the tools' names. */
  readonly toolPrefix: string;
  /** Compiler flags only this processor has. */
  readonly flags: readonly string[];
}

/** All processors, each with the Debian package names' tool prefix. */
export const STUB_TARGETS: readonly StubTarget[] = [
  { architecture: "x86_64", toolPrefix: "x86_64-linux-gnu-", flags: ["-fcf-protection=none"] },
  {
    architecture: "aarch64",
    toolPrefix: "aarch64-linux-gnu-",
    flags: ["-mbranch-protection=none", "-mcmodel=tiny"],
  },
];

const FLAGS = [
  "-Os",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-ffreestanding",
  "-fPIC",
  "-fno-builtin",
  "-fno-asynchronous-unwind-tables",
  "-fno-stack-protector",
  "-nostdlib",
  "-static",
  "-Wl,--build-id=none",
];

async function run(command: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, {
    args: [...args],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`${command} failed: ${new TextDecoder().decode(stderr)}`);
}

/** Version of the compiler for a processor, or undefined when there is none. */
export async function compilerVersion(target: StubTarget): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(`${target.toolPrefix}gcc`, {
      args: ["-dumpfullversion"],
      stdout: "piped",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Compiles the stub; its configuration follows at the end of the returned code. */
export async function compileStub(target: StubTarget): Promise<Uint8Array> {
  const directory = await Deno.makeTempDir({ prefix: "pbkfs-stub-" });
  try {
    await run(`${target.toolPrefix}gcc`, [
      ...FLAGS,
      ...target.flags,
      `-Wl,-T,${SOURCE_DIRECTORY}stub.ld`,
      "-o",
      `${directory}/stub.elf`,
      `${SOURCE_DIRECTORY}start_${target.architecture}.S`,
      `${SOURCE_DIRECTORY}stub.c`,
    ]);
    await run(`${target.toolPrefix}objcopy`, [
      "-O",
      "binary",
      `${directory}/stub.elf`,
      `${directory}/stub.bin`,
    ]);
    return await Deno.readFile(`${directory}/stub.bin`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** The committed form: by processor, the compiler's version and the code in base64. */
export type CommittedStubs = Record<string, { compiler: string; code: string }>;

if (import.meta.main) {
  const committed: CommittedStubs = {};
  for (const target of STUB_TARGETS) {
    const compiler = await compilerVersion(target);
    if (compiler === undefined) throw new Error(`${target.toolPrefix}gcc is not installed`);
    committed[target.architecture] = {
      compiler,
      code: (await compileStub(target)).toBase64(),
    };
  }
  await Deno.writeTextFile(
    `${SOURCE_DIRECTORY}../entry_stub_code.json`,
    JSON.stringify(committed, null, 2) + "\n",
  );
}
