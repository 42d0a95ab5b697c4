import assert from "node:assert/strict";
import { copyCatalog, pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { runProgram } from "./_program.ts";

const READ_ONLY = { permissions: ["--allow-read"] };

async function catalog(): Promise<string> {
  const fixture = await pgprobackupFixture("a-stream-none");
  assert.ok(fixture !== undefined);
  return fixture.catalog;
}

Deno.test("pbkfs show draws chains as text with the permission to read alone", async () => {
  const { code, stdout, stderr } = await runProgram(["show", "-B", await catalog()], READ_ONLY);
  assert.equal(stderr, "");
  assert.equal(code, 0);
  assert.match(stdout, /^Instance main/);
  assert.match(stdout, /^TOTXMX .* FULL .* OK +yes$/m);
  assert.match(stdout, /^└─ TOTXO5 .* DELTA /m);
  assert.match(stdout, /^ {3}└─ TOTXPE .* PAGE /m);
});

Deno.test("pbkfs show prints a catalog as JSON with the permission to read alone", async () => {
  const args = ["show", "-B", await catalog(), "--format", "json"];
  const { code, stdout } = await runProgram(args, READ_ONLY);
  assert.equal(code, 0);
  const { instances } = JSON.parse(stdout);
  assert.deepEqual(instances.map((instance: { name: string }) => instance.name), ["main"]);
  const backups = new Map(instances[0].backups.map((each: { id: string }) => [each.id, each]));
  const last = backups.get("TOTXQL") as Record<string, unknown>;
  assert.deepEqual(last["chain"], ["TOTXQL", "TOTXPE", "TOTXO5", "TOTXMX"]);
  assert.equal(last["mountable"], true);
});

Deno.test("pbkfs show selects an instance and a backup, in either case", async () => {
  const args = ["show", "-B", await catalog(), "-I", "main", "-i", "totxpe", "--format", "json"];
  const { stdout } = await runProgram(args, READ_ONLY);
  const { instances } = JSON.parse(stdout);
  assert.deepEqual(instances[0].backups.map((each: { id: string }) => each.id), ["TOTXPE"]);
});

Deno.test("pbkfs show takes the catalog from BACKUP_PATH and from --backup-path", async () => {
  const path = await catalog();
  const permissions = ["--allow-read", "--allow-env=BACKUP_PATH"];
  const byVariable = await runProgram(["show"], { permissions, env: { BACKUP_PATH: path } });
  const byAlias = await runProgram(["show", "--backup-path", path], READ_ONLY);
  assert.match(byVariable.stdout, /TOTXQL/);
  assert.equal(byVariable.stdout, byAlias.stdout);
});

Deno.test("pbkfs show prints notes and until when backups are kept", async () => {
  using directory = new TempDirectory("show");
  const store = directory.join("catalog");
  copyCatalog(await catalog(), store);
  const path = `${store}/backups/main/TOTXPE/backup.control`;
  const more = "expire-time = '2027-01-02 03:04:05+00'\nnote = 'before the ''big''\tupgrade'\n";
  Deno.writeTextFileSync(path, more, { append: true });
  const { code, stdout } = await runProgram(["show", "-B", store], READ_ONLY);
  assert.equal(code, 0);
  assert.match(stdout, /^TOTXPE is kept until 2027-01-02 03:04:05Z$/m);
  assert.match(stdout, /^TOTXPE note: before the 'big'\\tupgrade$/m);
  assert.doesNotMatch(stdout, /TOTXQL is kept|TOTXQL note/);
});

Deno.test("pbkfs show tells a catalog that is not there from one without backups", async () => {
  using directory = new TempDirectory("show");
  const empty = await runProgram(["show", "-B", directory.path], READ_ONLY);
  assert.match(empty.stderr, /no directory "backups"/);
  const none = await runProgram(["show", "-B", directory.join("none")], READ_ONLY);
  assert.match(none.stderr, /there is no such directory/);
});

Deno.test("pbkfs show fails for an unknown instance or backup", async () => {
  const path = await catalog();
  for (const selection of [["-I", "nope"], ["-i", "ZZZZZZ"], ["-I", "main", "-i", "ZZZZZZ"]]) {
    const { code, stderr } = await runProgram(["show", "-B", path, ...selection], READ_ONLY);
    assert.equal(code, 1);
    assert.match(stderr, /^pbkfs error: Cannot find /);
  }
});
