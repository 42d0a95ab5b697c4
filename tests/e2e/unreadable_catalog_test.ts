/**
 * Catalogs that this user may not read, or not all of. Run by root as an ordinary user; left out
 * for others, who cannot make what is another user's.
 *
 * @module
 */

import assert from "node:assert/strict";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { copyCatalog, pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { SERVER_USER } from "#tests/support/postgres.ts";
import { type CommandResult, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const TIMEOUT_MS = 120_000;
const OPTIONS = { timeoutMs: TIMEOUT_MS, check: false };

/** Runs pbkfs as an ordinary user on a copy of the catalog, once root has edited that. */
async function runOnEdited(
  edit: (store: string) => void,
  args: (store: string) => string[],
): Promise<CommandResult> {
  const fixture = await pgprobackupFixture("a-stream-none");
  assert.ok(fixture);
  using directory = new TempDirectory("unreadable");
  const store = directory.join("catalog");
  const program = directory.join("pbkfs");
  // The user may enter neither the checkout nor root's caches.
  const [built] = pbkfsCommand([]);
  await runCommand(["cp", built!, program], { timeoutMs: TIMEOUT_MS });
  copyCatalog(fixture.catalog, store);
  await runCommand(["chmod", "-R", "a+rX", directory.path], { timeoutMs: TIMEOUT_MS });
  edit(store);
  const user = ["setpriv", `--reuid=${SERVER_USER}`, `--regid=${SERVER_USER}`, "--init-groups"];
  return await runCommand([...user, program, ...args(store)], OPTIONS);
}

function rootTest(name: string, run: () => Promise<void>): void {
  Deno.test({ name, ignore: Deno.uid() !== 0 || pbkfsCommand([]).length > 1, fn: run });
}

const show = (...more: string[]) => (store: string) => ["show", "-B", store, ...more];

for (const path of ["", "/backups", "/backups/main"]) {
  rootTest(`show names a directory that may not be read: catalog${path}`, async () => {
    const edit = (store: string) => Deno.chmodSync(store + path, 0o700);
    const { code, stdout, stderr } = await runOnEdited(edit, show());
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, new RegExp(`^pbkfs error: Cannot .* "[^"]*/catalog${path}.*": EACCES`));
    const explicit = await runOnEdited(edit, show("-I", "main"));
    assert.equal(explicit.code, 1);
    assert.match(explicit.stderr, new RegExp(`/catalog${path}.*": EACCES`));
  });
}

rootTest("show lists what may be read beside an instance that may not", async () => {
  const edit = (store: string) => Deno.mkdirSync(`${store}/backups/secret`, { mode: 0o700 });
  const { code, stdout, stderr } = await runOnEdited(edit, show());
  assert.equal(code, 1);
  assert.match(stdout, /^TOTXMX /m);
  assert.match(stdout, /^Instance secret\nProblem: Cannot list "[^"]*\/secret": EACCES/m);
  assert.match(stderr, /Cannot show all instances: Cannot list "[^"]*\/secret": EACCES/);
  const json = JSON.parse((await runOnEdited(edit, show("--format", "json"))).stdout);
  assert.deepEqual(
    json.instances.map((each: { unreadable?: boolean }) => each.unreadable),
    [undefined, true],
  );
  assert.match((await runOnEdited(edit, show("-i", "TOTXMX"))).stdout, /^TOTXMX /m);
});

rootTest("show says of each backup that may not be read why", async () => {
  const { code, stdout } = await runOnEdited((store) => {
    Deno.chmodSync(`${store}/backups/main/TOTXO5`, 0o700);
    Deno.chmodSync(`${store}/backups/main/TOTXMX/backup.control`, 0o600);
    Deno.chmodSync(`${store}/backups/main/pg_probackup.conf`, 0o600);
  }, show());
  assert.equal(code, 0);
  assert.match(stdout, /^Problem: Cannot open ".*\/main\/pg_probackup.conf": EACCES/m);
  for (const name of ["TOTXO5", "TOTXMX"]) {
    const reason = `Cannot (stat|open) "[^"]*/${name}/backup.control": EACCES`;
    assert.match(stdout, new RegExp(`^${name} .*UNKNOWN .*no: .*${reason}`, "m"));
  }
});

rootTest("show says which file list may not be read", async () => {
  const { stdout } = await runOnEdited((store) => {
    Deno.chmodSync(`${store}/backups/main/TOTXO5/backup_content.control`, 0o600);
  }, show());
  assert.match(stdout, /TOTXQL .*no: Cannot open "[^"]*\/TOTXO5\/backup_content.control": EACCES/);
});

rootTest("mount names the directory of the catalog that may not be read", async () => {
  const { code, stderr } = await runOnEdited(
    (store) => {
      Deno.chmodSync(`${store}/backups/main`, 0o700);
      for (const name of ["mnt", "diff"]) {
        Deno.mkdirSync(`${store}/../${name}`);
        Deno.chmodSync(`${store}/../${name}`, 0o777);
      }
    },
    (store) =>
      ["mount", "-B", store, "-D", `${store}/../mnt`, "-d", `${store}/../diff/d`]
        .concat("-I", "main", "-i", "TOTXMX", "--wait"),
  );
  assert.equal(code, 1);
  assert.match(stderr, /Cannot list "[^"]*\/backups\/main": EACCES/);
});
