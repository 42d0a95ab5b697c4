/**
 * Restores into trees where something stands in the place of entries: what is replaced, what stays,
 * and what the messages say about it.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { CommandResult } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { pbkfs } from "./_archive_mount.ts";
import {
  type Encounter,
  ENCOUNTERS,
  FIRST,
  foundAs,
  identify,
  makeEntries,
  makeObstacles,
  waysPast,
} from "./_obstacles.ts";
import { PbsStore } from "./_pbs_store.ts";

/** Restores the tree into a directory. */
type Restore = (target: string, options: readonly string[]) => Promise<CommandResult>;

interface Problem {
  readonly path: string;
  readonly code: string;
  readonly message: string;
  readonly option?: string;
}

const OPTIONS: readonly (readonly string[])[] = [
  [],
  ["--overwrite"],
  ["--overwrite-files"],
  ["--overwrite-symlinks"],
  ["--overwrite-hardlinks"],
  ["--overwrite-directories"],
  ["--allow-existing-dirs"],
  ["--overwrite", "--allow-existing-dirs"],
];

/** The problems, and the error at the end. */
function problemsOf({ stderr }: CommandResult): { problems: Problem[]; end: string } {
  const lines = stderr.trim().split("\n").filter((line) => line !== "").map((line) =>
    JSON.parse(line)
  );
  const problems = lines.filter(({ type }) => type === "problem");
  return { problems, end: JSON.stringify(lines.find(({ type }) => type === "error") ?? {}) };
}

function checkStays(encounter: Encounter, target: string, before: string, problem?: Problem): void {
  const { name } = encounter;
  const [option] = waysPast(encounter);
  assert.equal(identify(`${target}/${name}`), before, name);
  assert.equal(problem?.code, "EEXIST", name);
  assert.equal(problem?.option, option, name);
  assert.ok(problem!.message.includes(`"${target}/${name}"`), problem!.message);
  if (option !== undefined) assert.ok(problem!.message.includes(`(${option} `), problem!.message);
  else {
    assert.ok(!problem!.message.includes("--"), problem!.message);
    const words = `in place of the ${foundAs(encounter)} `;
    assert.ok(problem!.message.includes(words), problem!.message);
    assert.match(problem!.message, /remove or rename it/);
  }
}

function checkComes(encounter: Encounter, tree: string, target: string): void {
  const { name, entry } = encounter;
  const found = identify(`${target}/${name}`);
  if (entry === "directory") assert.match(found, /^40000 /, name);
  // Inode numbers tell what was there from what was made; here they say nothing.
  else assert.equal(found.split(" ")[0], identify(`${tree}/${name}`).split(" ")[0], name);
  if (["file", "symlink", "hardlink"].includes(entry)) {
    assert.equal(found, identify(`${tree}/${name}`), name);
  }
  if (entry !== "hardlink") return;
  const inode = (path: string) => Deno.lstatSync(`${target}/${path}`).ino;
  assert.equal(inode(name), inode(FIRST), name);
}

/**
 * Restores over everything with each set of options, and then with the options that the messages
 * named.
 */
async function checkTable(scratch: TempDirectory, tree: string, restore: Restore): Promise<void> {
  for (const [i, options] of OPTIONS.entries()) {
    const target = scratch.join(`out${i}`);
    makeObstacles(target);
    const before = new Map(ENCOUNTERS.map(({ name }) => [name, identify(`${target}/${name}`)]));
    const dry = await restore(target, [...options, "--dry-run"]);
    for (const { name } of ENCOUNTERS) {
      assert.equal(identify(`${target}/${name}`), before.get(name), `${name} after --dry-run`);
    }
    const result = await restore(target, options);
    assert.equal(dry.stderr, result.stderr, `${options} --dry-run`);
    const { problems, end } = problemsOf(result);
    const stays = ENCOUNTERS.filter((each) => !waysPast(each).some((way) => options.includes(way)));
    for (const encounter of ENCOUNTERS) {
      const { name } = encounter;
      const problem = problems.find(({ path }) => path === `/${name}`);
      if (stays.includes(encounter)) checkStays(encounter, target, before.get(name)!, problem);
      else {
        assert.equal(problem, undefined, name);
        checkComes(encounter, tree, target);
      }
    }
    assert.equal(result.code, 1);
    const ways = [...new Set(stays.flatMap((each) => waysPast(each).slice(0, 1)))];
    for (const option of ["--overwrite", "--allow-existing-dirs"]) {
      assert.equal(end.includes(`(${option})`), ways.includes(option), `${options}: ${end}`);
    }
    assert.match(end, /removed? or renamed?/i);
    // Nothing was in its way in the first run.
    Deno.removeSync(`${target}/${FIRST}`);
    const given = [...options, ...ways];
    const again = problemsOf(await restore(target, given));
    for (const encounter of ENCOUNTERS) {
      const problem = again.problems.find(({ path }) => path === `/${encounter.name}`);
      const isHelped = waysPast(encounter).some((way) => ways.includes(way));
      if (!isHelped) continue;
      assert.equal(problem, undefined, `${given}: ${problem?.message}`);
      checkComes(encounter, tree, target);
    }
  }
}

Deno.test("whatever stands in the way of whatever comes, pxar extract keeps or replaces it, and its hints work", async () => {
  using scratch = new TempDirectory("table");
  const tree = scratch.join("tree");
  makeEntries(tree);
  const archive = scratch.join("home.pxar");
  await pbkfs(["pxar", "create", archive, tree], true);
  await checkTable(
    scratch,
    tree,
    (target, options) =>
      pbkfs(["pxar", "extract", archive, target, "--format", "json", ...options]),
  );
});

Deno.test("whatever stands in the way of whatever comes, pbs restore keeps or replaces it, and its hints work", async () => {
  await using store = await PbsStore.create();
  const tree = store.home.join("tree");
  makeEntries(tree);
  await store.backup([`root.pxar:${tree}`, "--backup-id", "h"]);
  await checkTable(
    store.home,
    tree,
    (target, options) =>
      store.run(["restore", "host/h", "root.pxar", target, "--format", "json", ...options]),
  );
});
