import assert from "node:assert/strict";
import { Command } from "commander";
import { datastoreRemedy } from "#src/cli/datastore/remedy.ts";
import { addStoreOptions } from "#src/cli/datastore/store.ts";
import { StateError } from "#src/errors.ts";
import { parseGroup, parseNamespace } from "#src/pbs/format/snapshot_path.ts";
import { FutureSnapshotError } from "#src/pbs/state_errors.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { mustPbs, pbs } from "../pbs/_pbs.ts";

const DAY_S = 86_400;

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** A command that was given these words. */
function commandOf(...words: string[]): Command {
  const command = addStoreOptions(new Command("some"));
  return command.parse(words, { from: "user" });
}

function future(ns: string, count: number): FutureSnapshotError {
  const group = parseGroup("host/a", parseNamespace(ns));
  const snapshots = Array.from({ length: count }, (_, index) => ({
    group,
    time: 2_000_000_000 + index,
  }));
  return new FutureSnapshotError(snapshots, 1_800_000_000);
}

Deno.test("datastoreRemedy() repeats what the command was told of the datastore", () => {
  const told = commandOf("--repository", "dir:/my store", "--server-store", "s1", "--ns", "");
  assert.equal(
    datastoreRemedy(future("", 1), told),
    "Set the clock if it is wrong; otherwise run pbkfs pbs forget host/a/2033-05-18T03:33:20Z " +
      "--ns '' --repository 'dir:/my store' --server-store s1",
  );
  assert.match(
    datastoreRemedy(future("team/sub", 2), commandOf())!,
    /run pbkfs pbs forget host\/a\/2033-05-18T03:33:20Z host\/a\/2033-05-18T03:33:21Z --ns team\/sub$/,
  );
  assert.equal(datastoreRemedy(new StateError("not-found", "x"), told), undefined);
});

Deno.test("datastoreRemedy() doubts the clock rather than many snapshots", () => {
  const way = datastoreRemedy(future("", 400), commandOf())!;
  assert.match(way, /^Set the clock: 400 snapshots of the group are ahead of it/);
  assert.match(way, /forget host\/a\/2033-05-18T03:39:59Z$/);
});

/** A datastore with one group. */
async function makeStore(directory: TempDirectory): Promise<string> {
  const path = directory.join("store");
  await mustPbs(["datastore", "create", path]);
  await mustPbs(["backup", "a.conf:/etc/hostname", "--backup-id", "x", "--repository", path]);
  return path;
}

/** Every command that is told of a namespace. */
const OF_NAMESPACES = [
  "backup a.conf:/etc/hostname",
  "backup a.conf:/etc/hostname --dry-run",
  "list",
  "snapshots",
  "snapshots host/x",
  "snapshot list",
  "snapshot files host/x/2020-01-01T00:00:00Z",
  "snapshot notes show host/x/2020-01-01T00:00:00Z",
  "snapshot notes update host/x/2020-01-01T00:00:00Z words",
  "snapshot protected show host/x/2020-01-01T00:00:00Z",
  "snapshot protected update host/x/2020-01-01T00:00:00Z true",
  "snapshot upload-log host/x/2020-01-01T00:00:00Z /etc/hostname",
  "files host/x",
  "restore host/x a.pxar out",
  "ls host/x a.pxar",
  "cat host/x a.pxar /a",
  "find host/x a.pxar",
  "stat host/x a.pxar",
  "diff host/x host/y a.pxar",
  "mount host/x a.pxar place",
  "map host/x a.img",
  "catalog dump host/x",
  "catalog shell host/x a.pxar",
  "notes host/x",
  "notes host/x words",
  "protect host/x/2020-01-01T00:00:00Z",
  "forget host/x/2020-01-01T00:00:00Z",
  "group forget host/x",
  "change-owner host/x root@pam",
  "prune --keep-last 1",
  "prune host/x --keep-last 1",
  "verify",
  "verify host/x",
  "verify host/x/2020-01-01T00:00:00Z",
  "namespace list",
];

Deno.test("every pbs command says the same of a namespace that is not there, and how to make it", async () => {
  using directory = new TempDirectory("no-namespace");
  const path = await makeStore(directory);
  const place = `--repository ${path}`;
  const expected = `pbkfs error: Cannot find namespace "no/sub" in "${path}": ` +
    `Run pbkfs pbs namespace create no ${place} && pbkfs pbs namespace create no/sub ${place} ` +
    `to make it, or pbkfs pbs namespace list ${place} to see what there is\n`;
  for (const line of OF_NAMESPACES) {
    const args = [...line.split(" "), "--ns", "no/sub", "--repository", path];
    assert.deepEqual(
      { line, ...await pbs(args, { cwd: directory.path }) },
      { line, code: 1, stdout: "", stderr: expected },
    );
  }
  for (const line of ["namespace create no/sub/deep", "namespace delete no/sub"]) {
    const { code, stderr } = await pbs([...line.split(" "), "--repository", path]);
    assert.deepEqual({ line, code, stderr }, { line, code: 1, stderr: expected });
  }
  // Followed literally, also where the environment has it.
  const env = { PBS_REPOSITORY: path, PBS_NAMESPACE: "no" };
  const { stderr } = await pbs(["list"], { env });
  const [, making, listing] = stderr.match(/Run pbkfs pbs (.*) to make it, or pbkfs pbs (.*) to/)!;
  assert.equal(listing, "namespace list --ns ''");
  assert.equal(await mustPbs(["namespace", "list", "--ns", ""], { env }), "");
  await mustPbs(making!.split(" "), { env });
  assert.equal(await mustPbs(["list"], { env }), "");
});

Deno.test("no message or hint of a pbs command has a full stop before a colon or at its end", async () => {
  using directory = new TempDirectory("stops");
  const path = await makeStore(directory);
  for (
    const line of [
      "files host/none",
      "files none",
      "snapshots none/x",
      "list --ns a//b",
      "notes a/b/c",
      "forget host/x",
      "list --repository /nowhere",
    ]
  ) {
    const args = line.split(" ");
    const { code, stderr } = await pbs(args, { env: { PBS_REPOSITORY: path } });
    assert.notEqual(code, 0, line);
    assert.match(stderr, /^pbkfs error: .*: /, line);
    assert.doesNotMatch(stderr, /\.:|\.\.|\.\n/, line);
  }
});

Deno.test("a missing datastore, a protected snapshot and one of the future name the command that helps", async () => {
  using directory = new TempDirectory("ways");
  const path = directory.join("store");
  const env = { PBS_REPOSITORY: path };
  const words = (stderr: string, pattern: RegExp) => stderr.match(pattern)![1]!.split(" ");
  const none = await pbs(["list"], { env });
  await mustPbs(words(none.stderr, /; pbkfs pbs (.*) makes one/));

  const backup = ["backup", "a.conf:/etc/hostname", "--backup-id", "x"];
  const time = nowSeconds() + 400 * DAY_S;
  const early = await pbs([...backup, "--backup-time", String(time)], { env });
  assert.equal(early.code, 0, early.stderr);
  const name = `host/x/${new Date(time * 1000).toISOString().slice(0, 19)}Z`;
  assert.match(early.stderr, /^warning: host\/x\/\S+ is ahead of the clock, which says \d{4}-/);
  assert.match(early.stderr, new RegExp(`; pbkfs pbs forget ${name} removes it\n$`));

  await mustPbs(["protect", name], { env });
  const refused = await pbs(backup, { env });
  assert.equal(refused.code, 1);
  const removal = words(refused.stderr, /otherwise run pbkfs pbs (.*)\n$/);
  assert.deepEqual(removal, ["forget", name]);
  const kept = await pbs(removal, { env });
  assert.equal(kept.code, 1);
  await mustPbs(words(kept.stderr, /Run pbkfs pbs (.*) first\n$/), { env });
  await mustPbs(removal, { env });
  assert.equal((await pbs(backup, { env })).stderr, "");
  // Old backups are taken over without a word.
  const old = await pbs([
    "backup",
    "a.conf:/etc/hostname",
    "--backup-id",
    "old",
    "--backup-time",
    "2020-01-01T00:00:00Z",
  ], { env });
  assert.deepEqual([old.code, old.stderr], [0, ""]);
});

Deno.test("an unfinished snapshot is listed as such", async () => {
  using directory = new TempDirectory("unfinished");
  const path = await makeStore(directory);
  const env = { PBS_REPOSITORY: path };
  const [name] = (await mustPbs(["snapshots"], { env })).match(/host\/x\/\S+/)!;
  assert.equal(
    JSON.parse(await mustPbs(["snapshots", "--format", "json"], { env }))[0].unfinished,
    undefined,
  );
  Deno.removeSync(`${path}/${name}/index.json.blob`);
  const text = await mustPbs(["snapshots"], { env });
  assert.match(text, /│ host\/x\/\S+ │ unfinished │ a\.conf/);
  const [record] = JSON.parse(await mustPbs(["snapshots", "--format", "json"], { env }));
  assert.equal(record.unfinished, true);
  assert.equal(record.size, undefined);
  const files = await pbs(["files", name], { env });
  assert.deepEqual([files.code, files.stdout.includes("a.conf.blob")], [0, true]);
  assert.match(files.stderr, /^warning: host\/x\/\S+: unfinished: its backup still runs, or/);
});
