import assert from "node:assert/strict";
import { countDisposals, keepDisposals } from "../../scripts/executable/kept_disposals.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const BUNDLE = `function open(name) {
  return {
    value: 1,
    [Symbol.dispose]: () => console.log("closed " + name),
    [Symbol.asyncDispose]: () => console.log("later " + name)
  };
}
function once() {
  using file = open("once");
  return file.value;
}
async function spread() {
  await using file = open({
    toString: () => "spread"
  });
  return file.value;
}
function never() {
  using file = open("never");
  using nothing = globalThis.nothing;
  if (Symbol.iterator === undefined) throw new Error();
}
once();
never();
await spread();
`;

Deno.test("keepDisposals() keeps what is declared by using from a minifier that puts it where it is used", async () => {
  using directory = new TempDirectory("disposals");
  assert.equal(countDisposals(BUNDLE), 4);
  Deno.writeTextFileSync(directory.join("plain.js"), keepDisposals(BUNDLE));
  const [plain, small] = [directory.join("plain.js"), directory.join("small.js")];
  const command = [Deno.execPath(), "bundle", "--quiet", "--minify", "-o", small, plain];
  await runCommand(command, { timeoutMs: 60_000 });
  assert.equal(countDisposals(Deno.readTextFileSync(small)), 4);
  const { stdout } = await runCommand(denoRunCommand([], small), { timeoutMs: 60_000 });
  assert.equal(stdout, "closed once\nclosed never\nlater spread\n");
});
