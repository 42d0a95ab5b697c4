/**
 * What could be typed can be typed: every command that there was takes the arguments and flags that
 * it took. The list, one command a line, grows with new forms and loses none.
 */

import assert from "node:assert/strict";
import { programForms } from "./_forms.ts";

const LIST = new URL("../fixtures/command_forms.tsv", import.meta.url);

Deno.test("All commands keep their forms", () => {
  const forms = programForms();
  for (const line of Deno.readTextFileSync(LIST).trimEnd().split("\n")) {
    const [usage, ...flags] = line.split("\t");
    const [, name, args] = /^([^<[]*[^<[ ])(?: ([<[].*))?$/u.exec(usage!)!;
    const form = forms[name!];
    assert.ok(form !== undefined, `there is no command ${name}`);
    const known = args?.match(/[<[][^>\]]*[>\]]/gu) ?? [];
    assert.deepEqual(form.arguments.slice(0, known.length), known, name);
    // What has come behind them can be left out.
    const later = form.arguments.slice(known.length);
    assert.deepEqual(later.filter((argument) => !argument.startsWith("[")), [], name);
    assert.deepEqual(flags.filter((flag) => flag !== "" && !form.flags.includes(flag)), [], name);
  }
});
