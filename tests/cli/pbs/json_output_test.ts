import assert from "node:assert/strict";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { pbs } from "./_pbs.ts";

/** Command lines that do what they are to do, one after the other. */
const WELL = [
  "datastore create $STORE",
  "namespace create team",
  "namespace list",
  "backup root.pxar:$TREE a.conf:$TREE/file --backup-id x --backup-time 2024-01-10T10:00:00Z",
  "backup root.pxar:$TREE --backup-id x --backup-time 2024-01-11T10:00:00Z",
  "backup root.pxar:$TREE --backup-id x --dry-run",
  "list",
  "snapshots",
  "snapshot list",
  "files host/x",
  "ls host/x root.pxar",
  "find host/x root.pxar --name file",
  "stat host/x root.pxar /file",
  "diff host/x/2024-01-10T10:00:00Z host/x root.pxar",
  "catalog dump host/x",
  "notes host/x words",
  "notes host/x",
  "protect host/x/2024-01-10T10:00:00Z",
  "protect --off host/x/2024-01-10T10:00:00Z",
  "change-owner host/x root@pam",
  "status",
  "verify",
  "restore host/x root.pxar $TREE-again",
  "restore host/x/2024-01-10T10:00:00Z a.conf $TREE-file",
  "prune host/x --keep-last 1",
  "gc",
  "group forget host/x",
  "namespace delete team",
];

const FAILING = [
  "list --ns none",
  "files host/none",
  "backup root.pxar:/none",
  "restore host/none a.pxar $TREE-none",
  "prune host/none --keep-last 1",
  "verify host/none",
  "gc --nonsense",
  "forget",
  "namespace delete none",
  "nonsense",
];

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

for (const format of ["json", "jsonl"]) {
  Deno.test(`pbs --format ${format}: every command's standard output can be parsed, and its errors too`, async () => {
    using directory = new TempDirectory("json-output");
    const tree = directory.join("tree");
    Deno.mkdirSync(tree);
    Deno.writeTextFileSync(`${tree}/file`, "content");
    const env = { PBS_REPOSITORY: directory.join("store") };
    const run = (line: string) => {
      const filled = line.replaceAll("$STORE", env.PBS_REPOSITORY).replaceAll("$TREE", tree);
      return pbs([...filled.split(" "), "--format", format], { env });
    };
    for (const line of WELL) {
      const { code, stdout, stderr } = await run(line);
      // Not a word beside the result.
      assert.deepEqual({ line, code, stderr }, { line, code: 0, stderr: "" });
      if (format === "json") assert.doesNotThrow(() => JSON.parse(stdout), `${line}: ${stdout}`);
      else for (const one of lines(stdout)) assert.doesNotThrow(() => JSON.parse(one), line);
    }
    for (const line of FAILING) {
      const { code, stdout, stderr } = await run(line);
      assert.notEqual(code, 0, line);
      assert.equal(stdout, "", line);
      const errors = lines(stderr).map((one) => JSON.parse(one));
      assert.deepEqual(errors.map(({ type }) => type), ["error"], line);
    }
  });
}
