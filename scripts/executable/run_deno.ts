/**
 * Runs the Deno command line in child processes of the build.
 *
 * @module
 */

/** How a child process runs. */
export interface RunOptions {
  /** Working directory; by default that of the build. */
  readonly directory?: string;
  readonly timeoutMs?: number;
}

/**
 * Runs `deno ARGS` and waits for it.
 *
 * @throws when it fails or takes longer than `timeoutMs`; the message has what it wrote
 */
export async function runDeno(
  args: readonly string[],
  { directory = ".", timeoutMs = 300_000 }: RunOptions = {},
): Promise<string> {
  const { success, code, stdout, stderr } = await new Deno.Command("deno", {
    args: [...args],
    cwd: directory,
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(timeoutMs),
  }).output();
  const decoder = new TextDecoder();
  if (!success) {
    throw new Error(`deno ${args[0]} failed with status ${code}: ${decoder.decode(stderr).trim()}`);
  }
  return decoder.decode(stdout);
}
