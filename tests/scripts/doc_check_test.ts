import assert from "node:assert/strict";
import { undocumented } from "../../scripts/doc_check.ts";

const HERE = "file:///a.ts";

function declaration(doc: string | undefined, declarationKind = "export", filename = HERE) {
  return {
    ...(doc === undefined ? {} : { jsDoc: { doc } }),
    kind: "function",
    declarationKind,
    location: { filename, line: 4 },
  };
}

Deno.test("undocumented() finds modules and exported symbols without a doc comment", () => {
  const symbols = [
    { name: "good", declarations: [declaration("Does it.")] },
    { name: "overloaded", declarations: [declaration("Does it."), declaration(undefined)] },
    { name: "hidden", declarations: [declaration(undefined, "private")] },
    { name: "elsewhere", declarations: [declaration(undefined, "export", "file:///b.ts")] },
    { name: "bad", declarations: [declaration(undefined)] },
  ];
  assert.deepEqual(undocumented({ nodes: { [HERE]: { symbols } } }), [
    "file:///a.ts: the module has no doc comment",
    'file:///a.ts:5: "bad" has no doc comment',
  ]);
  assert.deepEqual(
    undocumented({ nodes: { [HERE]: { module_doc: { doc: "What." }, symbols: [symbols[0]!] } } }),
    [],
  );
});
