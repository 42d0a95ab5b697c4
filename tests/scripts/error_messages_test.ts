/**
 * The rule for messages of errors, over all literals of the program: `Cannot …: reason`, a
 * statement, or the wording of a tool that this program takes the place of.
 */

import assert from "node:assert/strict";

/** Messages that scripts know from other tools, by how they begin. */
const TOOL_WORDING = [
  "--backup-id is required",
  "--crypt-mode without --keyfile",
  "--master-pubkey-file/--master-pubkey-fd specified",
  "-o/--output needs",
  "Passphrase is too short!",
  "Passwords do not match!",
  "Password too short!",
  "abort requested",
  "backup group ${qualifiedName(target.group)} does not contain",
  "binding violation: ",
  "certificate validation failed - Certificate fingerprint was not confirmed.",
  "failed to read fresh stats",
  "mount does not answer",
  "mount process not running",
  "mount still in progress",
  "no password input mechanism available",
  "password hint not allowed",
  "target is busy",
  "the worker of ",
  "unable to ",
  "unmounted",
  "verification failed - please check the log for details",
  "worker ",
];

const MESSAGE =
  /new (?:Usage|Format|Integrity|Limit|Auth|Protocol|State)Error\(\s*(?:"[a-z-]+",\s*)?(?!"[a-z-]+",)((?:"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`)(?:\s*\+\s*(?:"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`))*)/gu;

/** What is wrong with a message; undefined for a good one. */
function faultOf(message: string): string | undefined {
  if (TOOL_WORDING.some((beginning) => message.startsWith(beginning))) return undefined;
  if (/[.!]$/u.test(message)) return "ends with a full stop";
  if (/(?<!\b[Tt]here )\b(?:is|are|was) (?:no|none)\b(?! longer)/u.test(message)) {
    return '"is no": say "is not a"';
  }
  return /^(?:\p{Lu}|"|`|\\`|\$\{)/u.test(message) ? undefined : "begins with a small letter";
}

function* modulesBelow(folder: URL): Generator<URL> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* modulesBelow(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts")) yield new URL(name, folder);
  }
}

Deno.test("messages of errors are a sentence without its full stop, or known from other tools", () => {
  const faults: string[] = [];
  let count = 0;
  for (const path of modulesBelow(new URL("../../src/", import.meta.url))) {
    for (const [, literal] of Deno.readTextFileSync(path).matchAll(MESSAGE)) {
      const message = literal!.replace(/["`]\s*\+\s*["`]/gu, "").slice(1, -1);
      count++;
      const fault = faultOf(message);
      if (fault !== undefined) faults.push(`${path.pathname}: ${message}: ${fault}`);
    }
  }
  assert.ok(count > 300, `only ${count} messages were found`);
  assert.deepEqual(faults, []);
});

Deno.test("faultOf() knows good messages from bad ones", () => {
  for (const good of ["Cannot read manifest: it is not valid JSON", "Passwords do not match!"]) {
    assert.equal(faultOf(good), undefined);
  }
  for (const bad of ["Cannot read it.", "it broke", "Cannot read key: it is no JSON"]) {
    assert.notEqual(faultOf(bad), undefined);
  }
});
