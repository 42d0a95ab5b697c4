/** Archives that no file name tells: on standard input, and those whose payload lies elsewhere. */

import assert from "node:assert/strict";
import { UsageError } from "#src/errors.ts";
import { openSource } from "#src/sources/mod.ts";
import { findEntry } from "#src/tree/paths.ts";
import { nameToMount } from "#src/usecases/mounting/named_source.ts";
import { digestFile } from "#src/transfer/mod.ts";
import { bash } from "#tests/support/everything_tree.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { type CommandResult, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

function pbkfs(args: readonly string[], options: { stdin?: Uint8Array; cwd?: string } = {}) {
  return runCommand(pbkfsCommand(args), { timeoutMs: 60_000, check: false, ...options });
}

async function must(...args: Parameters<typeof pbkfs>): Promise<CommandResult> {
  const result = await pbkfs(...args);
  assert.equal(result.code, 0, result.stderr);
  return result;
}

const TREE = `cd "$1"; mkdir -p tree/d apart; echo hello >tree/d/f; head -c 5000 /dev/zero >tree/g`;

Deno.test("the verbs read an archive from a pipe, and one in two files that lie apart", async () => {
  using home = new TempDirectory("stdin");
  await bash(TREE, home.path);
  const cwd = home.path;
  await must(["pxar", "create", "x.pxar", "tree"], { cwd });
  const stdin = Deno.readFileSync(home.join("x.pxar"));
  assert.equal((await must(["ls", "-R", "-"], { stdin })).stdout, "/\n/d\n/d/f\n/g\n");
  assert.equal((await must(["ls", "-"], { stdin })).stdout, "d\ng\n");
  assert.equal((await must(["cat", "pxar:-", "/d/f"], { stdin })).stdout, "hello\n");
  await must(["extract", "-", "out"], { stdin, cwd });
  assert.equal(Deno.readTextFileSync(home.join("out/d/f")), "hello\n");
  const looked = await pbkfs(["stat", "-", "/d/f"], { stdin });
  assert.match(looked.stderr, /standard input here, which is a pipe/);
  // A file of that name is one with a directory in front.
  Deno.copyFileSync(home.join("x.pxar"), home.join("-"));
  assert.equal((await must(["ls", "./-"], { cwd })).stdout, "d\ng\n");

  await must(["pxar", "create", "x.mpxar", "tree", "--payload-output", "apart/y"], { cwd });
  const alone = await pbkfs(["cat", "x.mpxar", "/d/f"], { cwd });
  assert.match(alone.stderr, /payload stream is not there/);
  assert.equal((await must(["cat", "x.mpxar#apart/y", "/d/f"], { cwd })).stdout, "hello\n");
  assert.equal((await must(["diff", "tree", "x.mpxar#apart/y"], { cwd })).stdout, "");
  const split = Deno.readFileSync(home.join("x.mpxar"));
  const piped = await must(["cat", "pxar:-#apart/y", "/d/f"], { cwd, stdin: split });
  assert.equal(piped.stdout, "hello\n");

  // The full name opens the same again, wherever one is.
  const pathname = home.join("x.mpxar");
  const name = `${pathname}#${home.join("apart/y")}`;
  using source = await openSource(name);
  assert.equal(source.summary.name, `pxar:${name}`);
  using again = await openSource(source.summary.name);
  const tree = again.openTree();
  const file = findEntry(tree, "d/f");
  assert.ok(file?.kind === "file" && digestFile(file).length === 32);
  tree.close();
  assert.equal(nameToMount(`${pathname}#y`).item, `${Deno.cwd()}/y`);
  await assert.rejects(openSource(`${pathname}#none`), (error) => {
    return error instanceof UsageError && /no such payload stream/.test(error.message);
  });
  Deno.renameSync(home.join("apart/y"), home.join("x.ppxar"));
  using beside = await openSource(`${pathname}#${home.join("x.ppxar")}`);
  assert.equal(beside.summary.name, `pxar:${pathname}`);
});
