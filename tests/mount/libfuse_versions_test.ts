import assert from "node:assert/strict";
import { isMounted } from "#src/mount/mod.ts";
import { denoRunCommand, runCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";

/**
 * A library that calls itself 3.17 and has its constructor, over the installed one: what can be
 * varied without a second libfuse at hand. The constructor refuses what 3.17 would refuse.
 */
const SHIM = `
#include <stddef.h>
struct libfuse_version { unsigned major, minor, hotfix, padding; };
void *fuse_session_new(void *args, const void *ops, size_t size, void *data);
const char *fuse_pkgversion(void) { return "3.17.1-rc0"; }
int fuse_version(void) { return 317; }
void *fuse_session_new_versioned(void *args, const void *ops, size_t size,
                                 struct libfuse_version *version, void *data) {
  if (!version || version->major != 3 || version->minor != 17 || version->hotfix != 1) return 0;
  if (!ops || size == 0 || version->padding != 0) return 0;
  return fuse_session_new(args, ops, size, data);
}
`;

async function buildShim(directory: string): Promise<string | undefined> {
  const library = `${directory}/libfuse3.so.4`;
  await Deno.writeTextFile(`${directory}/shim.c`, SHIM);
  const flags = ["-shared", "-fPIC", "-o", library, `${directory}/shim.c`, "-l:libfuse3.so.3"];
  try {
    await runCommand(["gcc", ...flags], { timeoutMs: 30_000 });
    return library;
  } catch {
    return undefined;
  }
}

Deno.test("mountFileSystem() uses the versioned constructor of libfuse 3.17", async (t) => {
  const directory = await Deno.makeTempDir({ prefix: "pbkfs-shim-" });
  try {
    const library = await buildShim(directory);
    await t.step({
      name: "with a library that calls itself 3.17.1-rc0",
      // Needs a C compiler and libfuse3.so.3.
      ignore: library === undefined,
      fn: async () => {
        const mountPoint = `${directory}/mnt`;
        await Deno.mkdir(mountPoint);
        const script = new URL("./support/serve.ts", import.meta.url).pathname;
        const permissions = ["--allow-ffi", "--allow-read", "--allow-run", "--allow-env"];
        const server = new RunningCommand(
          denoRunCommand(permissions, script, [mountPoint, library!]),
        );
        await waitUntil(() => server.stdout.includes("mounted"), 20_000, () => server.stderr);
        assert.match(server.stdout, /libfuse 3\.17\.1/);
        // statfs goes through libfuse's callbacks, cat through the fast path.
        const { stdout } = await runCommand(
          ["sh", "-c", "cat hello.txt; stat -f -c %T ."],
          { timeoutMs: 10_000, cwd: mountPoint },
        );
        assert.equal(stdout, "hello\nfuseblk\n");
        server.signalGroup("SIGTERM");
        assert.equal((await server.wait(5000)).code, 0);
        assert.equal(isMounted(mountPoint), false);
      },
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
