import assert from "node:assert/strict";
import { Datastore } from "#src/pbs/datastore.ts";
import { MemoryDisk } from "#tests/support/memory_disk.ts";
import { runCommand } from "#tests/support/process.ts";

const FLAGS = ["-A", "--no-prompt", "--no-check", "--unstable-worker-options"];

Deno.test("The examples of pulls do what they say", async () => {
  await using disk = await MemoryDisk.create();
  const [tree, store] = [disk.join("tree"), disk.join("store")];
  Deno.mkdirSync(`${tree}/below`, { recursive: true });
  Deno.writeTextFileSync(`${tree}/file`, "content");
  Deno.writeTextFileSync(`${tree}/below/file`, "more");
  Deno.writeTextFileSync(`${tree}/below/x.tmp`, "left");
  Datastore.create(store);
  const examples: [name: string, args: string[], printed: RegExp][] = [
    ["pull_local_directory", [tree, store], /^last backup: none\nhost\/example\/.*: 2 files, 0 %/u],
    ["own_transport", [tree, store], /^host\/http\/.*: 3 files\n$/u],
    ["own_file_system", [store], /^host\/made-up\/.*: 2 files of \d+ bytes\n$/u],
    ["encrypted_pull", [tree, tree, store], /^complete: true; file: content\n$/u],
  ];
  await Promise.all(examples.map(async ([name, args, printed]) => {
    const path = new URL(`../../../examples/${name}.ts`, import.meta.url).pathname;
    const { stdout } = await runCommand([Deno.execPath(), "run", ...FLAGS, path, ...args], {
      timeoutMs: 120_000,
    });
    assert.match(stdout, printed, name);
  }));
});
