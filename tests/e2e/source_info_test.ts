/** `pbkfs info`: what a name names, of every kind; and names that name nothing. */

import assert from "node:assert/strict";
import { backup, parseBackupSpec } from "#src/backup/mod.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { buildDirectoryCatalog } from "#tests/support/directory_catalog.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { type CommandResult, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { mustPbs, ServedStore } from "./_served_store.ts";

const TIMEOUT_MS = 60_000;
const SECONDS = 1_700_000_000;
const SNAPSHOT = "host/x/2023-11-14T22:13:20Z";

function info(args: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> {
  return runCommand(pbkfsCommand(["info", ...args]), { env, timeoutMs: TIMEOUT_MS, check: false });
}

async function infoJson(name: string): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await info([name, "--format", "json"]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

/** A catalog and a datastore. */
function makePlaces(home: TempDirectory): void {
  const tree = home.join("tree");
  Deno.mkdirSync(tree);
  Deno.writeTextFileSync(`${tree}/PG_VERSION`, "15\n");
  buildDirectoryCatalog(home.join("catalog"), tree);
  Deno.mkdirSync(home.join("store/.chunks"), { recursive: true });
  const store = Datastore.open(home.join("store"), { access: "write" });
  const group = { ns: ROOT_NAMESPACE, type: "host", id: "x" } as const;
  const writer = store.startSnapshot({ group, time: SECONDS });
  backup(writer, [`root.pxar:${tree}`].map(parseBackupSpec), { mode: "legacy" });
  store.close();
}

Deno.test("info says the same of every kind, and names what it is in full", async () => {
  using home = new TempDirectory("info");
  makePlaces(home);
  const backup = await infoJson(`${home.path}/catalog#directory/latest`);
  assert.equal(backup.kind, "pgpro");
  assert.match(String(backup.name), /^pgpro:.*\/catalog#directory\/[0-9A-Z]{6}$/);
  const archive = await infoJson(`${home.path}/store#host/x/latest/root.pxar`);
  assert.equal(archive.name, `pbs:${home.path}/store#${SNAPSHOT}/root.pxar`);
  assert.equal(archive.time, "2023-11-14T22:13:20Z");
  assert.deepEqual(Object.keys(archive), Object.keys(backup));
  const { stdout } = await info([String(archive.name)]);
  assert.match(stdout, /^ +Name: pbs:.*\n +Kind: pbs\n +Time: 2023-11-14T22:13:20Z\n/);
});

Deno.test("a mistyped name is answered with the nearest one, and with what there is", async () => {
  using home = new TempDirectory("info");
  makePlaces(home);
  const { name } = await infoJson(`${home.path}/catalog#directory/latest`);
  const id = String(name).slice(-6);
  const cases: readonly (readonly [name: string, hint: RegExp])[] = [
    [`catlog#directory/${id}`, /Did you mean ".*\/catalog"\?/],
    [`catalog#directry/${id}`, /Did you mean "directory"\?/],
    [`catalog#directory/${id.slice(0, 5)}`, new RegExp(`Did you mean "directory/${id}"\\?`)],
    ["store#host/y/latest/root.pxar", /Did you mean "host\/x\/latest"\?/],
    ["store#host/x/2023-11-14T22:13:21Z/root.pxar", new RegExp(`Did you mean "${SNAPSHOT}"\\?`)],
    ["store#host/x/2023-11-14/root.pxar", new RegExp(`There is: ${SNAPSHOT}`)],
    ["tree/PG_VERSION", /Looked for: /],
  ];
  for (const [place, hint] of cases) {
    const { code, stdout, stderr } = await info([`${home.path}/${place}`]);
    assert.notEqual(code, 0, place);
    assert.equal(stdout, "");
    assert.match(stderr, hint, place);
  }
});

Deno.test("info lists what there is in a catalog, a datastore, and parts of them", async () => {
  using home = new TempDirectory("info");
  makePlaces(home);
  const listed = async (name: string) => Object.values(await infoJson(`${home.path}/${name}`));
  const one = await infoJson(`${home.path}/catalog#directory/latest`);
  for (const name of ["catalog", "catalog#directory", "catalog/backups/directory"]) {
    const [full, delta] = await listed(name) as Record<string, unknown>[];
    assert.deepEqual(delta, one, name);
    assert.equal(full!.why, null);
    assert.equal((full!.chain as string[]).length, 1);
  }
  const archive = await infoJson(`${home.path}/store#host/x/latest/root.pxar`);
  for (const name of ["store", "store#host/x", "store#host/x/latest", `store/${SNAPSHOT}`]) {
    const list = await listed(name);
    assert.equal(list.length, 1, name);
    assert.deepEqual({ ...list[0] as object, postgres: null }, { ...archive, postgres: null });
  }
  const { stdout } = await info([home.join("catalog")]);
  assert.match(stdout, /^Name .*\ndirectory\/[0-9A-Z]{6} .* yes\n/);
});

Deno.test("info logs in to the server of a name, and has the key that the snapshot needs", async () => {
  await using served = await ServedStore.start();
  const { home, repository, secrets } = served;
  const key = home.join("key");
  await mustPbs(["key", "create", key, "--kdf", "none"]);
  Deno.mkdirSync(home.join("tree"));
  const root = `root.pxar:${home.join("tree")}`;
  await served.must(["backup", root, "--backup-id", "sealed", "--keyfile", key]);
  const env = { PBS_PASSWORD: secrets.password, PBS_FINGERPRINT: secrets.fingerprint };
  const [login, port, store] = repository.split(":");
  const name = `pbs://${login}:${port}/${store}#host/sealed/latest/root.pxar`;
  const found = await info([name, "--keyfile", key, "--format", "json"], env);
  assert.equal(found.code, 0, found.stderr);
  assert.ok(JSON.parse(found.stdout).name.startsWith(`pbs:${repository}#host/sealed/2`));
  // Nothing is opened for a list, so it takes no key; and it is that of the datastore here.
  const place = `pbs://${login}:${port}/${store}`;
  const here = Object.values(await infoJson(served.path)) as Record<string, unknown>[];
  assert.equal(here.length, 1);
  for (const item of ["", "#host/sealed/latest"]) {
    const list = await info([`${place}${item}`, "--format", "json"], { ...env, HOME: home.path });
    assert.equal(list.code, 0, list.stderr);
    const [{ name: listed, ...rest }, ...more] = JSON.parse(list.stdout);
    assert.deepEqual(more, []);
    assert.deepEqual({ ...here[0], ...rest }, here[0], item);
    assert.equal(listed, JSON.parse(found.stdout).name);
  }
  const table = await info([place], env);
  assert.match(table.stdout, /^Name .*\n.*host\/sealed\/.*root\.pxar .* yes\n$/);
  const mistyped = await info([`${place}#host/saeled`], env);
  assert.equal(mistyped.code, 1);
  assert.match(mistyped.stderr, /host\/sealed/);
  const refused = await info([name, "--keyfile", key], { ...env, PBS_PASSWORD: "wrong" });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /error:/);
  const keyless = await info([name], { ...env, HOME: home.path });
  assert.equal(keyless.code, 1);
});
