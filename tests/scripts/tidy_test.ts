import assert from "node:assert/strict";
import {
  ambiguousNames,
  crowdedFolders,
  importCycles,
  type ModuleGraph,
  reachable,
  textFaults,
  unusedAllowances,
  unusedPackages,
} from "../../scripts/tidy.ts";

const GRAPH: ModuleGraph = new Map([
  ["main.ts", ["a.ts"]],
  ["a.ts", ["b.ts"]],
  ["b.ts", ["c.ts"]],
  ["c.ts", ["b.ts", "leaf.ts"]],
  ["leaf.ts", []],
  ["dead.ts", ["leaf.ts"]],
  ["self.ts", ["self.ts"]],
]);

Deno.test("reachable() follows imports through cycles", () => {
  assert.deepEqual(
    [...reachable(GRAPH, ["main.ts"])].toSorted(),
    ["a.ts", "b.ts", "c.ts", "leaf.ts", "main.ts"],
  );
});

Deno.test("importCycles() finds each group once", () => {
  assert.deepEqual(importCycles(GRAPH), [["b.ts", "c.ts"], ["self.ts"]]);
});

Deno.test("textFaults() names file and line of markers, silent tests and empty names", () => {
  const marker = "TO" + "DO";
  assert.deepEqual(textFaults("src/a.ts", `\n// ${marker}: later`), [
    "src/a.ts:2: leftover marker",
  ]);
  assert.equal(textFaults("src/a.ts", "export class MountManager {").length, 1);
  assert.equal(textFaults("src/utils/a.ts", "").length, 1);
  assert.equal(textFaults("tests/a_test.ts", ["Deno.test", "only(x)"].join(".")).length, 1);
  assert.deepEqual(textFaults("src/a.ts", "export class Mount {}\nconst todo = 1;"), []);
});

Deno.test("textFaults() names comments that are too wide, but for tables and examples", () => {
  const wide = "word ".repeat(20) + "words";
  for (const comment of [`// ${wide}`, ` * ${wide}`, `/** ${wide} */`]) {
    assert.match(textFaults("a.ts", comment)[0]!, /^a\.ts:1: a comment of \d+ columns$/);
  }
  for (const line of [` * | ${wide} |`, ` *     ${wide}`, `const a = "${wide}";`]) {
    assert.deepEqual(textFaults("a.ts", line), []);
  }
});

Deno.test("unusedAllowances() names what a layer may import and does not", () => {
  const graph: ModuleGraph = new Map([
    ["ffi/libc/calls.ts", ["ffi/libc/files.ts"]],
    ["src/io/path.ts", ["ffi/libc/calls.ts"]],
  ]);
  assert.deepEqual(unusedAllowances(graph, { io: ["ffi/libc", "bytes"], bytes: [] }), [
    "scripts/lint/layer_table.ts: nothing uses io → bytes",
  ]);
});

Deno.test("unusedPackages() names packages of the import map that no module imports", () => {
  const imports = { "#src/": "./src/", used: "npm:used@1", deep: "npm:deep@1", idle: "npm:idle@1" };
  const texts = new Map([["a.ts", 'import "used";'], ["b.ts", 'import x from "deep/part";']]);
  assert.deepEqual(unusedPackages(imports, texts), ["deno.json: no module imports idle"]);
});

Deno.test("crowdedFolders() names folders of the program with more than 25 modules of their own", () => {
  const inFolder = (folder: string, count: number) =>
    Array.from({ length: count }, (_, index) => `${folder}/m${index}.ts`);
  const modules = [
    ...inFolder("src/a", 25),
    ...inFolder("src/a/b", 26),
    ...inFolder("tests/a", 40),
  ];
  assert.deepEqual(crowdedFolders(modules), ["src/a/b: 26 modules, more than 25"]);
});

Deno.test("ambiguousNames() names what two modules export, and what is allowed in vain", () => {
  const texts = new Map([
    ["src/a.ts", "export const A = 1;\nexport function both(): void {}\nexport class Port {}"],
    ["src/b.ts", "export async function both() {}\nexport interface Port {}\nconst A = 2;"],
    ["src/c.ts", 'export {\n  type A as Other,\n} from "./a.ts";\nexport { A } from "./a.ts";'],
    ["tests/a_test.ts", "export const A = 1;"],
  ]);
  assert.deepEqual(ambiguousNames(texts, new Set(["Port"])), [
    "src/c.ts: A as Other",
    "both: declared in src/a.ts and src/b.ts",
  ]);
  assert.deepEqual(ambiguousNames(texts, new Set(["Port", "both", "A"])), [
    "src/c.ts: A as Other",
    "scripts/tidy.ts: A is declared once, and need not be allowed",
  ]);
});
