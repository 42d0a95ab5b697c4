import assert from "node:assert/strict";
import committed from "../../scripts/executable/entry_stub_code.json" with { type: "json" };
import {
  compilerVersion,
  compileStub,
  STUB_TARGETS,
} from "../../scripts/executable/stub/compile_stub.ts";

for (const target of STUB_TARGETS) {
  const { compiler, code } = committed[target.architecture];
  const here = await compilerVersion(target);
  Deno.test({
    name: `compileStub() gives the committed ${target.architecture} code with the same compiler`,
    // Another compiler chooses other instructions; without one there is nothing to compare.
    ignore: here !== compiler,
    fn: async () => assert.equal((await compileStub(target)).toBase64(), code),
  });
}
