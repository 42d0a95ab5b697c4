/**
 * Malformed archives through the program: what is expected of reading in order goes for `ls` and
 * `extract`, and `verify` names the class. Tests of the library go through all archives with each
 * of the three; here all are extracted, the rest meets one of each class.
 */

import assert from "node:assert/strict";
import { type MalformedCase, malformedCases } from "#tests/support/pxar_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { ALL_PERMISSIONS, pxar, type PxarResult } from "./_pxar.ts";

/** Programs at a time. */
const PARALLEL = 4;

async function forEachCase(
  cases: readonly MalformedCase[],
  check: (given: MalformedCase) => Promise<string | undefined>,
): Promise<void> {
  const faults: string[] = [];
  const queue = [...cases];
  const work = async () => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const fault = await check(next);
      if (fault !== undefined) faults.push(`${next.name} (${next.class}): ${fault}`);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  assert.deepEqual(faults, []);
}

/** The code of an error in JSON. */
function codeOf(line: string): string | undefined {
  return line.startsWith("{") ? JSON.parse(line).code : undefined;
}

const cases = malformedCases();
const oneOfEachClass = [...new Map(cases.map((given) => [given.class, given])).values()];

Deno.test({
  name: "pbkfs pxar verify names the class of a malformed archive",
  ignore: cases.length === 0,
  fn: () =>
    forEachCase(oneOfEachClass, async (given) => {
      const result = await pxar(["verify", given.path, "--format", "json"]);
      if (result.code !== 1) return `exit code ${result.code}: ${result.stderr}`;
      const { findings } = JSON.parse(result.stdout) as { findings: { code: string }[] };
      const codes = findings.map((finding) => finding.code);
      return codes.includes(given.class) ? undefined : `found ${codes.join(", ")}`;
    }),
});

Deno.test({
  name: "pbkfs pxar ls behaves with malformed archives as reading in order must",
  ignore: cases.length === 0,
  fn: () =>
    forEachCase(oneOfEachClass, async (given) => {
      const result = await pxar(["ls", "-R", given.path, "--format", "json"]);
      // A listing goes on behind damage, which it names first.
      return judge(given, result, codeOf(result.stderr.split("\n")[0]!));
    }),
});

Deno.test({
  name: "pbkfs pxar extract behaves with malformed archives as reading in order must",
  ignore: cases.length === 0,
  fn: async () => {
    using home = new TempDirectory("malformed");
    await forEachCase(cases, async (given) => {
      const target = home.join(given.name);
      const args = ["extract", given.path, target, "--format", "json"];
      const result = await pxar(args, ALL_PERMISSIONS);
      const lines = result.stderr.trimEnd().split("\n");
      // What is left behind is named: each time by itself, and then as "partial" all together.
      if (codeOf(lines.at(-1)!) === "partial" && given.expect.sequential === "error") {
        const codes = lines.map(codeOf);
        return codes.includes(given.class) ? undefined : `only ${codes.join(", ")}`;
      }
      const code = codeOf(lines.at(-1)!);
      // Entries that cannot be restored on this file system are no fault of the archive.
      return code === "partial" ? undefined : judge(given, result, code);
    });
    assert.deepEqual(
      [...Deno.readDirSync(home.path)].map(({ name }) => name).sort(),
      [
        ...cases.map(({ name }) => name),
      ].sort(),
    );
  },
});

/** What is wrong with a run that ended so, and named this class of damage. */
function judge(
  given: MalformedCase,
  result: PxarResult,
  code: string | undefined,
): string | undefined {
  const verdict = given.expect.sequential;
  if (result.code === 0) return verdict === "error" ? "no error" : undefined;
  if (verdict === "ok") return `exit code ${result.code}: ${result.stderr}`;
  return code === given.class ? undefined : `class ${code}: ${result.stderr}`;
}
