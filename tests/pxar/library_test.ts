import assert from "node:assert/strict";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const DOCUMENT = new URL("../../docs/pxar.md", import.meta.url);

/** Runs the example of that number. @returns what it prints */
async function runExample(index: number, place: TempDirectory): Promise<string> {
  const examples = [...Deno.readTextFileSync(DOCUMENT).matchAll(/^```ts\n(.*?)^```$/gms)];
  // In a module of this package's: that is how its own name is found without a registry.
  const imported = examples[index]![1]!.replace(/"@pbkfs\/pbkfs(\/\w+)"/g, (_, name: string) => {
    return JSON.stringify(import.meta.resolve(`@pbkfs/pbkfs${name}`));
  });
  Deno.writeTextFileSync(place.join("example.ts"), imported);
  const permissions = ["--check", "--allow-read", `--allow-write=${place.path}`];
  const { stdout } = await runCommand(
    ["env", "-C", place.path, ...denoRunCommand(permissions, place.join("example.ts"))],
    { timeoutMs: 30_000 },
  );
  return stdout;
}

Deno.test("docs/pxar.md shows a program that works with what deno.json exports", async () => {
  using place = new TempDirectory("library");
  assert.equal(
    await runExample(0, place),
    "4 false\nhello\n\n/alice/notes.txt file\nfalse\nnot-found\n",
  );
  assert.equal(Deno.readTextFileSync(place.join("restored/alice/notes.txt")), "hello\n");
  assert.ok(Deno.statSync(place.join("alice.pxar")).size > 0);
});

Deno.test("docs/pxar.md shows how to archive what is no file of this computer", async () => {
  using place = new TempDirectory("library");
  assert.equal(await runExample(1, place), "true\n2\n3 16\n");
});
