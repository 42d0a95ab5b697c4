/**
 * Runs the Deno command line in child processes of the build.
 *
 * @module
 */

/**
 * Runs `deno ARGS` and waits for it.
 *
 * @throws when it fails or takes longer than `timeoutMs`; the message has what it wrote
 */
export async function runDeno(args: readonly string[], timeoutMs = 300_000): Promise<string> {
  const { success, code, stdout, stderr } = await new Deno.Command("deno", {
    args: [...args],
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
