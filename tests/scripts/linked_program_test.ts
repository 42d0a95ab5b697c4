import assert from "node:assert/strict";
import { linkProgram } from "../../scripts/executable/linked_program.ts";

/**
 * Runs what was made, without the module around it. @returns the exports, and which texts were
 * compiled
 */
async function run(bundle: Record<string, string>, entry: string) {
  const { texts, runner } = linkProgram(new Map(Object.entries(bundle)), entry);
  const imports = /^import (t\d+) from "\.\/(.*?)" with \{ type: "text" \};$/gm;
  const names: string[] = [];
  const values: string[] = [];
  const statements = runner.replace(imports, (_, name: string, file: string) => {
    names.push(name);
    values.push(texts.get(file)!);
    return "";
  });
  assert.equal(names.length, texts.size);
  return await new Function(...names, `${statements};return run();`)(...values) as Record<
    string,
    (...parameters: unknown[]) => unknown
  >;
}

Deno.test("linkProgram() runs what is imported first, once, and the rest when it is needed", async () => {
  const global = globalThis as unknown as { ran: string[] };
  global.ran = [];
  const program = await run({
    "./main.js": 'import{b}from"./b.js";import"./a.js";ran.push("main");' +
      'var f=()=>import("./later.js");export{b,f};',
    "./a.js": 'ran.push("a");var a=1;export{a};',
    "./b.js": 'import{a}from"./a.js";ran.push("b");var b=a+1;export{b};',
    "./later.js": 'import{a}from"./a.js";import{c}from"./c.js";ran.push("later");export{a,c};',
    "./c.js": 'import{EOL as e}from"node:os";ran.push("c");var c=e;export{c};',
  }, "./main.js");
  assert.deepEqual(global.ran, ["a", "b", "main"]);
  assert.equal(program["b"], 2 as unknown);
  for (let round = 0; round < 2; round++) {
    assert.deepEqual({ ...await program["f"]!() as object }, { a: 1, c: "\n" });
  }
  assert.deepEqual(global.ran, ["a", "b", "main", "c", "later"]);
});

Deno.test("linkProgram() fails a dynamic import whose module throws", async () => {
  const program = await run({
    "./main.js": 'var f=()=>import("./later.js");export{f};',
    "./later.js": 'throw new RangeError("on purpose");',
  }, "./main.js");
  await assert.rejects(program["f"]!() as Promise<unknown>, RangeError);
});

Deno.test("linkProgram() refuses modules that import each other, and names of none", () => {
  const circle = new Map([["./a.js", 'import"./b.js";'], ["./b.js", 'import"./a.js";']]);
  assert.throws(() => linkProgram(circle, "./a.js"), /import each other: \.\/a\.js, \.\/b\.js/);
  assert.throws(() => linkProgram(new Map(), "./a.js"), /no module \.\/a\.js/);
});
