import assert from "node:assert/strict";
import { join } from "node:path";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { runProgram } from "./_program.ts";

const PERMISSIONS = ["--allow-read", "--allow-write", "--allow-ffi", "--allow-env", "--allow-run"];

async function run(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(args, { permissions: PERMISSIONS });
  assert.equal(code, 0, stderr);
  return stdout;
}

Deno.test("verbs say the same of an archive in a file and in a snapshot", async () => {
  using directory = new TempDirectory();
  const source = join(directory.path, "source");
  Deno.mkdirSync(join(source, "sub"), { recursive: true });
  Deno.writeTextFileSync(join(source, "sub/first"), "content");
  Deno.linkSync(join(source, "sub/first"), join(source, "sub/second"));
  Deno.symlinkSync("first", join(source, "sub/link"));
  const archive = join(directory.path, "root.pxar");
  const store = join(directory.path, "store");
  await run(["pxar", "create", archive, source]);
  await run(["pbs", "datastore", "create", store]);
  const repository = ["--repository", `dir:${store}`];
  await run(["pbs", "backup", `root.pxar:${source}`, "--backup-id", "a", ...repository]);
  for (
    const [verb, ...rest] of [
      ["ls", "/sub"],
      ["ls", "-l", "/sub"],
      ["ls", "-R"],
      ["ls", "-l", "/sub/second"],
      ["cat", "/sub/second", "/sub/first"],
      ["find", "/sub", "-t", "f"],
      ["find", "-n", "link", "-l"],
      ["stat", "/sub/first", "/sub/second", "/sub/link"],
    ] as const
  ) {
    const ofFile = await run(["pxar", verb, archive, ...rest]);
    const ofSnapshot = await run(["pbs", verb, "host/a", "root.pxar", ...rest, ...repository]);
    assert.notEqual(ofFile, "");
    assert.equal(ofSnapshot, ofFile, `${verb} ${rest.join(" ")}`);
  }
  const stat = JSON.parse(await run(["pxar", "stat", archive, "/sub/second", "--format", "json"]));
  assert.equal(stat[0].type, "hardlink");
  assert.equal(stat[0].hardlink, "sub/first");
  assert.equal(stat[0].target.size, 7);
  assert.equal(stat[0].target.payload.kind, "inline");
});
