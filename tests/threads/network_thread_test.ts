import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const CHILD = fileURLToPath(new URL("./_network_child.ts", import.meta.url));
const PERMISSIONS = ["net", "read", "write", "run", "ffi", "env", "sys"];

Deno.test("the thread for the network keeps it, and has nothing else, when all others have lost it", async () => {
  using directory = new TempDirectory("network");
  const file = directory.join("file");
  Deno.writeTextFileSync(file, "");
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => new Response("here"),
  );
  const command = denoRunCommand(
    PERMISSIONS.map((name) => `--allow-${name}`),
    CHILD,
    [String(server.addr.port), file],
  );
  const { stdout } = await runCommand(command, { timeoutMs: 60_000 });
  const others = PERMISSIONS.filter((name) => name !== "net").sort();
  const ways = JSON.parse(stdout);
  assert.deepEqual(ways.network, ["net"]);
  for (const who of ["here", "before", "after"]) assert.deepEqual(ways[who].sort(), others, who);
});
