/// <reference lib="deno.unstable" />
import assert from "node:assert/strict";
import plugin from "../../scripts/lint/library_hints.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

function complaintCount(path: string, source: string): number {
  return Deno.lint.runPlugin(plugin, ROOT + path, source).length;
}

Deno.test("library-hints refuses flags and commands in hints of the library, and only there", () => {
  for (
    const hint of [
      '"Give it with --keyfile"',
      '"Give another one with -d"',
      "`Run pbkfs unmount ${path} first`",
      'isOpen ? "Use --force" : "Wait"',
    ]
  ) {
    const source = `throw new StateError("busy", "Cannot mount", { hint: ${hint} });`;
    for (const path of ["src/overlay/a.ts", "src/pbs/b.ts", "ffi/c.ts"]) {
      assert.equal(complaintCount(path, source), 1, `${path}: ${hint}`);
    }
    assert.equal(complaintCount("src/cli/a.ts", source), 0);
    assert.equal(complaintCount("tests/a.ts", source), 0);
  }
  const fine =
    'f({ hint: "Allow it with --allow-ffi, or a well-known -x" }); run(["--force", "-d"]);';
  assert.equal(complaintCount("src/overlay/a.ts", fine), 0);
});
