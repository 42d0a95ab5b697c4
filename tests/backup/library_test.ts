import assert from "node:assert/strict";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const DOCUMENT = new URL("../../docs/pbs.md", import.meta.url);

Deno.test("docs/pbs.md shows a program that works with what deno.json exports", async () => {
  using place = new TempDirectory("library");
  const [, example] = /^```ts\n(.*?)^```$/ms.exec(Deno.readTextFileSync(DOCUMENT))!;
  // In a module of this package's: that is how its own name is found without a registry.
  const imported = example!.replace(/"@pbkfs\/pbkfs(\/\w+)"/g, (_, name: string) => {
    return JSON.stringify(import.meta.resolve(`@pbkfs/pbkfs${name}`));
  });
  Deno.writeTextFileSync(place.join("example.ts"), imported);
  const permissions = [
    "--check",
    "--allow-ffi",
    `--allow-read=${place.path}`,
    `--allow-write=${place.path}`,
  ];
  const { stdout } = await runCommand(
    ["env", "-C", place.path, ...denoRunCommand(permissions, place.join("example.ts"))],
    { timeoutMs: 30_000 },
  );
  assert.deepEqual(stdout.trimEnd().split("\n"), [
    "undefined",
    "1",
    "/",
    "/notes.txt",
    "5891b5b5",
    "/notes.txt [ [ 32, 6 ] ]",
    "host/elsa/2023-11-14T22:14:20Z keep",
    "host/elsa/2023-11-14T22:13:20Z remove",
    "0",
  ]);
});
