import assert from "node:assert/strict";
import { makeFunctionBody, runnerModule } from "../../scripts/executable/function_body.ts";

const BUILTINS = { "node:path": { posix: 1, sep: "/", default: { name: "default" } }, meta: {} };

function run(bundle: string): Record<string, unknown> {
  return new Function("builtins", makeFunctionBody(bundle).body)(BUILTINS);
}

Deno.test("makeFunctionBody() turns imports and exports of every form into a function", () => {
  const bundle = 'import{posix as a,sep}from"node:path";import b from"node:path";' +
    'import*as c from"node:path";var d=()=>[a,sep,b.name,c.sep];export{d as start,a as other};\n';
  const { start, other } = run(bundle) as { start: () => unknown; other: unknown };
  assert.deepEqual(start(), [1, "/", "default", "/"]);
  assert.equal(other, 1);
  assert.deepEqual(makeFunctionBody(bundle).modules, ["node:path"]);
});

Deno.test("makeFunctionBody() leaves a module without imports and exports as it is", () => {
  assert.equal(makeFunctionBody("self.x=1;").body, '"use strict";self.x=1;');
  assert.deepEqual(makeFunctionBody("self.x=1;").modules, []);
});

Deno.test("makeFunctionBody() refuses what is left of a module's syntax", () => {
  assert.throws(() => makeFunctionBody('import x from"./other.js";x();'), SyntaxError);
  assert.throws(() => makeFunctionBody("var a=1;export default a;"), SyntaxError);
});

Deno.test("runnerModule() names the text and the modules it needs", () => {
  const module = runnerModule(["node:path"], "./program.txt");
  assert.match(module, /import source from "\.\/program\.txt" with \{ type: "text" \}/);
  assert.match(module, /"node:path": await import\("node:path"\)/);
});
