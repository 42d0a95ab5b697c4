import assert from "node:assert/strict";
import { makeFunctionBody } from "../../scripts/executable/function_body.ts";

const BUILTINS = { "node:path": { posix: 1, sep: "/", default: { name: "default" } }, meta: {} };

function run(module: string, link?: unknown): Record<string, unknown> {
  return new Function("builtins", "link", makeFunctionBody(module).body)(BUILTINS, link);
}

Deno.test("makeFunctionBody() turns imports and exports of every form into a function", () => {
  const module = 'import{posix as a,sep}from"node:path";import b from"node:path";' +
    'import*as c from"node:path";var d=()=>[a,sep,b.name,c.sep];export{d as start,a as other};\n';
  const { start, other } = run(module) as { start: () => unknown; other: unknown };
  assert.deepEqual(start(), [1, "/", "default", "/"]);
  assert.equal(other, 1);
  assert.deepEqual(makeFunctionBody(module).builtins, ["node:path"]);
});

Deno.test("makeFunctionBody() asks for other modules of the bundle, in their order", () => {
  const module = 'import{a as x}from"./chunk-A-1.js";import"./chunk-B.js";import{b}from"./C.js";' +
    'var d=()=>import("./later.js");export{x,b,d};';
  const asked: string[] = [];
  const link = Object.assign((name: string) => {
    asked.push(name);
    return { a: `a of ${name}`, b: `b of ${name}` };
  }, { load: (name: string) => `promise of ${name}` });
  const { x, b, d } = run(module, link) as Record<string, unknown> & { d: () => unknown };
  assert.deepEqual([x, b, d()], ["a of ./chunk-A-1.js", "b of ./C.js", "promise of ./later.js"]);
  assert.deepEqual(asked, ["./chunk-A-1.js", "./chunk-B.js", "./C.js"]);
  const { imports, dynamicImports } = makeFunctionBody(module);
  assert.deepEqual(imports, asked);
  assert.deepEqual(dynamicImports, ["./later.js"]);
});

Deno.test("makeFunctionBody() leaves a module without imports and exports as it is", () => {
  const { body, builtins, imports, dynamicImports } = makeFunctionBody("self.x=1;");
  assert.equal(body, "self.x=1;");
  assert.deepEqual([builtins, imports, dynamicImports], [[], [], []]);
});

Deno.test("makeFunctionBody() refuses what is left of a module's syntax", () => {
  assert.throws(() => makeFunctionBody('import x from"./other.js";x();'), SyntaxError);
  assert.throws(() => makeFunctionBody("var a=1;export default a;"), SyntaxError);
});
