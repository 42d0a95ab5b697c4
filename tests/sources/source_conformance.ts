/**
 * What every kind of source must do, as a function that is called with an example of each.
 *
 * @module
 */

import assert from "node:assert/strict";
import { attachSource, formatSourceName, NO_WAIT_GATE, parseSourceName } from "#src/sources/mod.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { checkMountableTree } from "#tests/support/tree_conformance.ts";
import { survivePowerCuts } from "#tests/overlay/_power_cuts.ts";
import { openExample, type SourceExample } from "./_examples.ts";
import { manifestOf } from "./_manifest.ts";
import { manifestInThread } from "./_manifest_in_thread.ts";

const SUMMARY_KEYS = [
  "chain",
  "content",
  "kind",
  "mountable",
  "name",
  "postgres",
  "sizeBytes",
  "time",
  "why",
];
const POWER_CUT_SEEDS = 2;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** A place with an example in it. */
class ExamplePlace implements Disposable {
  readonly #home = new TempDirectory("sources");
  readonly directory = this.#home.join("pl#ce");
  /** A name of the example. */
  readonly name: string;
  readonly #example: SourceExample;

  constructor(example: SourceExample) {
    this.#example = example;
    const [, kind = "", rest] = /^(\w+:)?(.*)$/u.exec(example.name)!;
    this.name = `${kind}${this.#home.path}/pl%23ce/${rest}`;
  }

  /** Makes the example, anew under the same name. */
  async make(version: number): Promise<void> {
    if (version > 1) Deno.removeSync(this.directory, { recursive: true });
    Deno.mkdirSync(this.directory);
    await this.#example.make(this.directory, version);
  }

  /** A name with what does not change from test to test. */
  general(name: string): string {
    return name.replace(`${this.#home.path}/pl%23ce`, "DIR");
  }

  [Symbol.dispose](): void {
    this.#home[Symbol.dispose]();
  }
}

/** Registers the tests of an example. */
export function testSource(example: SourceExample): void {
  const test = (what: string, run: (place: ExamplePlace) => void | Promise<void>) => {
    Deno.test(`A source (${example.title}) ${what}`, async () => {
      using place = new ExamplePlace(example);
      await place.make(1);
      await run(place);
    });
  };

  test("lies below an overlay that survives kills and power cuts", async (place) => {
    using source = await openExample(place.name);
    const tree = source.openTree();
    for (let seed = 1; seed <= POWER_CUT_SEEDS; seed++) survivePowerCuts(tree, seed);
    tree.close();
  });

  test("has one full name, by which it is found again", async (place) => {
    using source = await openExample(place.name);
    const { kind, name, content } = source.description;
    assert.equal(kind, example.kind);
    assert.equal(content, example.content);
    assert.match(place.general(name), example.fullName);
    assert.equal(formatSourceName(parseSourceName(name)), name);
    using again = await openExample(name);
    assert.deepEqual(again.summary, source.summary);
    assert.deepEqual(await again.identify(), await source.identify());
  });

  test("is described by the same JSON as all others", async (place) => {
    using source = await openExample(place.name);
    const { summary, description } = source;
    assert.deepEqual(Object.keys(summary).sort(), SUMMARY_KEYS);
    assert.deepEqual(JSON.parse(JSON.stringify(summary)), summary);
    assert.equal(summary.name, description.name);
    assert.equal(summary.sizeBytes, description.sizeBytes);
    assert.equal(summary.sizeBytes === null, example.kind === "dir");
    assert.ok(summary.sizeBytes !== 0);
    if (summary.time !== null) assert.match(summary.time, TIME);
  });

  test("is a tree as all others", async (place) => {
    using source = await openExample(place.name);
    checkMountableTree(() => source.openTree());
    const tree = source.openTree();
    const files = [...tree.root.entries()].filter(({ node }) => node.kind === "file");
    if (example.content !== "tree") assert.equal(files.length, 1);
    if (example.linked !== undefined) {
      const linked = tree.root.lookup(example.linked);
      assert.equal(linked?.kind === "file" && linked.linkCount, 2);
      assert.equal(linked?.attributes.nlink, 2);
      const { id } = linked!;
      assert.equal(tree.nodeById(id)?.attributes.nlink, 2);
    }
    tree.close();
  });

  test("shows the same in each thread that gets its description", async (place) => {
    using source = await openExample(place.name);
    const tree = source.openTree();
    const expected = manifestOf(tree);
    tree.close();
    assert.ok(Object.keys(expected).length > 1);
    const attached = attachSource(structuredClone(source.description), {
      index: 0,
      gate: NO_WAIT_GATE,
      spawn: undefined,
    });
    assert.deepEqual(manifestOf(attached), expected);
    attached.close();
    assert.deepEqual(await manifestInThread(source.description), expected);
  });

  test("tells every wait to the thread's gate", async (place) => {
    using source = await openExample(place.name);
    let depth = 0;
    let waits = 0;
    const gate = {
      tryAdmit: () => true,
      enter: () => void (depth++ === 0 && waits++),
      leave: () => void depth--,
    };
    const thread = { index: 0, gate, spawn: undefined };
    const tree = attachSource(source.description, thread);
    manifestOf(tree);
    tree.close();
    assert.ok(waits > 0);
    assert.equal(depth, 0);
  });

  test("keeps its fingerprint until its content is another", async (place) => {
    const before = await markOf(place);
    assert.deepEqual(await markOf(place), before);
    await place.make(2);
    const after = await markOf(place);
    assert.equal(after.name, before.name);
    assert.notEqual(after.fingerprint, before.fingerprint);
  });

  test("releases what it holds, and leaves the backup as it is", async (place) => {
    await markOf(place);
    const files = listFiles(place.directory);
    const descriptors = openFiles(place.directory);
    const source = await openExample(place.name);
    const tree = source.openTree();
    manifestOf(tree);
    await manifestInThread(source.description);
    tree.close();
    source[Symbol.dispose]();
    assert.deepEqual(openFiles(place.directory), descriptors);
    assert.deepEqual(listFiles(place.directory), files);
  });
}

async function markOf(place: ExamplePlace) {
  using source = await openExample(place.name);
  const { kind, name, fingerprint, ids } = await source.identify();
  assert.ok(fingerprint !== "");
  return { kind, name, fingerprint, ids };
}

/** Files that this process has open below a directory. */
function openFiles(directory: string): string[] {
  // One process, not one for each of the many files that tests beside this one have open.
  const { stdout } = new Deno.Command("find", {
    args: [`/proc/${Deno.pid}/fd`, "-printf", "%l\\n"],
    stderr: "null",
  }).outputSync();
  return new TextDecoder().decode(stdout).split("\n").filter((path) => path.startsWith(directory));
}

/** Files below a directory, with what a write would change. */
function listFiles(directory: string): string[] {
  return [...Deno.readDirSync(directory)].flatMap((entry) => {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) return listFiles(path);
    const { size, mtime, ino } = Deno.lstatSync(path);
    return [`${path} ${size} ${mtime?.getTime()} ${ino}`];
  }).sort();
}
