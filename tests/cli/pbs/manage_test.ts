import assert from "node:assert/strict";
import { Datastore } from "#src/pbs/datastore.ts";
import { parseSnapshot, ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { goldenDatastore, PBS_KEYS } from "#tests/support/pbs_fixtures.ts";
import { MemoryDisk } from "#tests/support/memory_disk.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { MAIN_MODULE } from "../_program.ts";
import { ALL_PERMISSIONS, mustPbs, pbs, pbsOnTerminal, type PbsOptions } from "./_pbs.ts";

const SNAPSHOT = "host/alpha/2024-01-12T10:00:00Z";
const TIMEOUT_MS = 60_000;

/** The golden datastore without its chunks, to be changed. */
class Copy implements Disposable {
  readonly #home = new TempDirectory("manage");
  readonly store = this.#home.join("store");

  static async make(): Promise<Copy> {
    const copy = new Copy();
    const command = ["cp", "-a", goldenDatastore(), copy.store];
    await runCommand(command, { timeoutMs: TIMEOUT_MS });
    return copy;
  }

  run(line: string, options: PbsOptions = {}) {
    return pbs([...line.split(" "), "--repository", this.store], options);
  }

  must(line: string, options: PbsOptions = {}): Promise<string> {
    return mustPbs([...line.split(" "), "--repository", this.store], options);
  }

  async json(line: string) {
    return JSON.parse(await this.must(`${line} --format json`));
  }

  [Symbol.dispose](): void {
    this.#home[Symbol.dispose]();
  }
}

Deno.test("pbs notes changes the notes of snapshots and groups", async () => {
  using copy = await Copy.make();
  assert.equal(await copy.must(`notes ${SNAPSHOT} short`), "");
  assert.equal(await copy.must(`notes ${SNAPSHOT}`), "short\n");
  assert.deepEqual(await copy.json(`snapshot notes update ${SNAPSHOT} other`), {
    type: "summary",
    target: SNAPSHOT,
  });
  assert.equal((await copy.json("snapshots host/alpha"))[2].comment, "other");
  await copy.must("notes host/alpha -", { stdin: "two\nlines\n" });
  assert.equal(await copy.must("notes host/alpha"), "two\nlines\n");
  assert.equal((await copy.json("list"))[1].comment, "two");
});

Deno.test("pbs forget removes snapshots but not protected ones", async () => {
  using copy = await Copy.make();
  assert.deepEqual(await copy.json(`protect ${SNAPSHOT}`), {
    type: "summary",
    snapshot: SNAPSHOT,
    protected: true,
  });
  const refused = await copy.run(`forget ${SNAPSHOT} --format json`);
  assert.equal(refused.code, 1);
  assert.equal(JSON.parse(refused.stderr).code, "protected");
  await copy.must(`snapshot protected update ${SNAPSHOT} false`);
  assert.equal(await copy.must(`forget ${SNAPSHOT} host/alpha/2024-01-10T10:00:00Z`), "");
  assert.equal((await copy.json("snapshots host/alpha")).length, 1);
  const gone = await copy.run(`snapshot forget ${SNAPSHOT}`);
  assert.equal(gone.code, 1);
});

Deno.test("pbs forget removes the others when one of several cannot be removed", async () => {
  using copy = await Copy.make();
  const [missing, kept] = ["host/alpha/2024-01-10T10:00:01Z", "host/alpha/2024-01-11T10:00:00Z"];
  const result = await copy.run(`forget ${missing} ${kept} ${SNAPSHOT} --format json`);
  assert.equal(result.code, 1);
  assert.deepEqual(JSON.parse(result.stdout), { type: "summary", removed: [SNAPSHOT] });
  const [first, second, error] = result.stderr.trimEnd().split("\n").map((line) =>
    JSON.parse(line)
  );
  assert.deepEqual([first.path, first.code], [missing, "not-found"]);
  assert.deepEqual([second.path, second.code], [kept, "protected"]);
  assert.equal(error.code, "partial");
});

Deno.test("pbs notes refuses a standard input that is no text", async () => {
  using copy = await Copy.make();
  const program = denoRunCommand(ALL_PERMISSIONS, MAIN_MODULE, [
    "pbs",
    "notes",
    SNAPSHOT,
    "-",
    "--repository",
    copy.store,
  ]);
  const line = ["sh", "-c", `printf '\\377' | "$@"`, "sh", ...program];
  const { code, stderr } = await runCommand(line, { timeoutMs: TIMEOUT_MS, check: false });
  assert.equal(code, 2);
  assert.match(stderr, /it is not UTF-8/);
  assert.equal(await copy.must(`notes ${SNAPSHOT}`), "");
});

Deno.test("pbs notes shows on a terminal what cannot control it, and elsewhere everything", async () => {
  using copy = await Copy.make();
  Deno.writeTextFileSync(`${copy.store}/host/enc/notes`, "\x1b[31mred\n\tü");
  assert.equal(await copy.must("notes host/enc"), "\x1b[31mred\n\tü\n");
  const shown = await pbsOnTerminal(["notes", "host/enc", "--repository", copy.store], []);
  assert.equal(shown.stdout, "\\u{1b}[31mred\r\n\tü\r\n");
});

Deno.test("pbs list warns of notes that cannot be read, and lists the group", async () => {
  using copy = await Copy.make();
  const all = await copy.json("list");
  Deno.writeTextFileSync(`${copy.store}/host/enc/notes`, "n".repeat((1 << 20) + 1));
  const { code, stdout, stderr } = await copy.run("list --format json");
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout), all);
  assert.deepEqual([JSON.parse(stderr).path, JSON.parse(stderr).code], ["host/enc", "limit"]);
  assert.equal((await copy.run("notes host/enc")).code, 1);
});

Deno.test("pbs verify and catalog dump say which keys they use", async () => {
  const verify = await mustPbs(["verify", "--help"]);
  assert.match(verify, /without, signatures are not\s+checked/);
  assert.ok(!verify.includes("XDG_CONFIG_HOME"));
  assert.match(await mustPbs(["catalog", "dump", "--help"]), /XDG_CONFIG_HOME/);
});

Deno.test("pbs group forget keeps what is protected, and says so", async () => {
  using copy = await Copy.make();
  const { code, stdout, stderr } = await copy.run("group forget host/alpha --format json");
  assert.equal(code, 1);
  const kept = "host/alpha/2024-01-11T10:00:00Z";
  assert.deepEqual(JSON.parse(stdout), { type: "summary", group: "host/alpha", kept: [kept] });
  const [problem, error] = stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual([problem.type, problem.path, problem.code], ["problem", kept, "protected"]);
  assert.equal(error.code, "partial");
  assert.equal(await copy.must("group forget host/enc"), "");
  const groups: { "backup-id": string }[] = await copy.json("list");
  assert.ok(groups.every((group) => group["backup-id"] !== "enc"));
});

Deno.test("pbs restore --dry-run refuses a target that is there", async () => {
  using copy = await Copy.make();
  const line = `restore vm/100 drive-scsi0.img ${copy.store}/.lock --dry-run`;
  const { code, stderr } = await copy.run(line);
  assert.equal(code, 1);
  assert.match(stderr, /EEXIST/);
});

Deno.test("pbs prune removes every group's old snapshots", async () => {
  using copy = await Copy.make();
  const { code, stdout, stderr } = await copy.run("prune --keep-last 1 --format json");
  assert.equal(code, 0);
  assert.equal(stderr, "");
  const records = JSON.parse(stdout);
  assert.equal(records.filter((record: { keep: boolean }) => record.keep).length, 10);
  assert.equal((await copy.json("snapshots")).length, 10);
  assert.equal(await copy.must("prune --keep-last 1 --quiet"), "");
});

Deno.test("pbs prune and verify tell of snapshots in use, and do the rest", async () => {
  using copy = await Copy.make();
  const used = "host/alpha/2024-01-10T10:00:00Z";
  const store = Datastore.open(copy.store, { access: "write" });
  const lock = store.locks!.lockSnapshot(parseSnapshot(used, ROOT_NAMESPACE), "exclusive");
  const [prune, verify] = await Promise.all([
    copy.run("prune --keep-last 1 --format json"),
    copy.run(`verify ${used} --format json`),
  ]);
  assert.equal(verify.code, 1);
  assert.equal(JSON.parse(verify.stdout).snapshots[0].reason, "locked");
  assert.equal(prune.code, 1);
  const problems = prune.stderr.trimEnd().split("\n").map((line) => JSON.parse(line))
    .filter(({ type }) => type === "problem");
  assert.deepEqual(problems.map(({ path }) => path), [used]);
  lock.release();
  store.close();
  assert.equal((await copy.json("snapshots")).length, 11);
  assert.equal((await copy.run("prune host/nobody --keep-last 1")).code, 1);
});

Deno.test("pbs prune without anything to keep removes nothing", async () => {
  using copy = await Copy.make();
  const records = await copy.json("prune host/split");
  assert.deepEqual(
    records.map(({ keep, reason }: { keep: boolean; reason: string }) => [keep, reason]),
    [[true, "all"], [true, "all"], [true, "all"]],
  );
  assert.equal((await copy.json("snapshots host/split")).length, 3);
});

Deno.test("pbs change-owner gives a group away", async () => {
  using copy = await Copy.make();
  await copy.must("change-owner host/enc admin@pbs!token");
  const groups: { "backup-id": string; owner: string }[] = await copy.json("list");
  assert.equal(groups.find((group) => group["backup-id"] === "enc")!.owner, "admin@pbs!token");
});

Deno.test("pbs namespace makes and removes namespaces", async () => {
  using copy = await Copy.make();
  await copy.must("namespace create new");
  await copy.must("namespace create new/inner");
  assert.equal(await copy.must("namespace list --ns new"), "new\nnew/inner\n");
  assert.equal((await copy.run("namespace create new")).code, 1);
  assert.equal((await copy.run("namespace create not/there")).code, 1);
  assert.equal((await copy.run("namespace delete team/sub-1")).code, 1);
  await copy.must("namespace delete team/sub-1 --delete-groups");
  await copy.must("namespace delete new/inner");
  assert.equal(await copy.must("namespace list"), "new\nteam\n");
});

Deno.test("pbs snapshot upload-log keeps a log, encrypted where there is a key", async () => {
  using copy = await Copy.make();
  const log = `${copy.store}/../log`;
  Deno.writeTextFileSync(log, "what happened\n");
  const snapshot = "vm/101/2024-01-10T10:00:00Z";
  const key = `--keyfile ${PBS_KEYS}/key-scrypt.json`;
  const upload = `snapshot upload-log ${snapshot} ${log} ${key}`;
  const env = { PBS_ENCRYPTION_PASSWORD: "goldkey-pass" };
  await copy.must(upload, { env });
  assert.deepEqual((await copy.json(`files ${snapshot}`)).at(-1), { filename: "client.log.blob" });
  const stored = new TextDecoder().decode(
    Deno.readFileSync(`${copy.store}/${snapshot}/client.log.blob`),
  );
  assert.ok(!stored.includes("what happened"));
  assert.equal((await copy.run(upload, { env })).code, 1);
});

Deno.test("pbs datastore create makes a datastore, once", async () => {
  await using home = await MemoryDisk.create();
  const args = ["datastore", "create", home.join("store")];
  assert.deepEqual(JSON.parse(await mustPbs([...args, "--format", "json"])), {
    type: "summary",
    path: home.join("store"),
  });
  assert.equal(await mustPbs(["list", "--repository", home.join("store")]), "");
  const again = await pbs([...args, "--format", "json"]);
  assert.equal(again.code, 1);
  assert.equal(JSON.parse(again.stderr).type, "error");
});

Deno.test("pbs snapshots lists a snapshot whose manifest is damaged, and says so", async () => {
  using copy = await Copy.make();
  Deno.writeTextFileSync(`${copy.store}/${SNAPSHOT}/index.json.blob`, "nonsense");
  const { code, stdout, stderr } = await copy.run("snapshots host/alpha --format json");
  assert.equal(code, 0);
  const [, , damaged] = JSON.parse(stdout);
  assert.equal(damaged["backup-time"], 1705053600);
  assert.equal(damaged.size, undefined);
  const problem = JSON.parse(stderr);
  assert.deepEqual([problem.type, problem.path], ["problem", SNAPSHOT]);
  assert.equal((await copy.run(`notes ${SNAPSHOT}`)).code, 1);
});

Deno.test("pbs says where a server's locks cannot be taken", async () => {
  using copy = await Copy.make();
  // A name that no server of this machine has; without a server there is no directory for locks at
  // all.
  const line = "list --server-store pbkfs-test-store";
  const text = await copy.run(line);
  assert.equal(text.code, 0);
  const hasServer = await copy.run("protect --off host/enc/2024-01-10T10:00:00Z");
  if (hasServer.stderr === "") assert.match(text.stderr, /^warning: .*locks/);
  const json = await copy.run(`${line} --format json`);
  if (json.stderr !== "") assert.equal(JSON.parse(json.stderr).type, "warning");
  const bad = await copy.run("list --server-store a/b");
  assert.equal(bad.code, 2);
});
