/**
 * Archives and snapshots of directories in which something cannot be read: a file with an
 * unreadable part, as a bad sector makes one, and a mount whose server is dead. The bad sector is a
 * snapshot with one chunk less, mounted.
 *
 * @module
 */

import assert from "node:assert/strict";
import { DynamicIndex } from "#src/pbs/format/dynamic_index.ts";
import { CHECK_PXAR } from "#tests/support/pxar_fixtures.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { runCommand } from "#tests/support/process.ts";
import { ArchiveMount, pbkfs } from "./_archive_mount.ts";
import { PbsStore } from "./_pbs_store.ts";

const SIZE = 3_000_000;
const TIMEOUT_MS = 60_000;
const MODES = ["legacy", "data", "metadata"] as const;

/**
 * A mounted directory with `bad`, of which a part cannot be read until it is mended, and `zgood`.
 */
class BadSector extends ArchiveMount {
  readonly content = new Uint8Array(SIZE);
  #mend: () => void = () => {};

  static async make(store: PbsStore): Promise<BadSector> {
    const bad = new BadSector();
    const source = bad.home.join("source");
    Deno.mkdirSync(source);
    for (let at = 0; at < SIZE; at += 65536) {
      crypto.getRandomValues(bad.content.subarray(at, at + 65536));
    }
    Deno.writeFileSync(`${source}/bad`, bad.content);
    Deno.writeTextFileSync(`${source}/zgood`, "good\n");
    await store.backup([`s.pxar:${source}`, "--backup-id", "source", "--chunk-size", "64"]);
    bad.#breakChunk(store.path);
    await bad.mountSource(store);
    return bad;
  }

  async mountSource(store: PbsStore): Promise<void> {
    await store.must(["mount", "host/source", "s.pxar", this.root]);
  }

  /** From here on everything can be read. */
  async mend(store: PbsStore): Promise<void> {
    await pbkfs(["unmount", this.root], true);
    this.#mend();
    await this.mountSource(store);
  }

  /** Takes the chunk away that holds the middle of the file. */
  #breakChunk(store: string): void {
    const group = `${store}/host/source`;
    const [snapshot] = [...Deno.readDirSync(group)].filter(({ isDirectory }) => isDirectory);
    const index = DynamicIndex.parse(Deno.readFileSync(`${group}/${snapshot!.name}/s.pxar.didx`));
    const digest = index.digestOf(index.find(index.size / 2));
    const path = `${store}/.chunks/${digest.slice(0, 4)}/${digest}`;
    Deno.renameSync(path, `${path}.away`);
    this.#mend = () => Deno.renameSync(`${path}.away`, path);
  }

  /** Checks what is stored of `bad`: as long as promised, as it is but for the zeros. */
  checkZeros(stored: Uint8Array): void {
    assert.equal(stored.length, SIZE);
    const different = stored.findIndex((byte, index) => byte !== this.content[index]);
    assert.ok(different >= 0);
    assert.ok(stored.every((byte, index) => byte === this.content[index] || byte === 0));
  }
}

async function bytesOf(args: readonly string[], env: Record<string, string> = {}) {
  const [program, ...rest] = pbkfsCommand(args);
  const { stdout, success } = await new Deno.Command(program!, { args: rest, env }).output();
  assert.ok(success, args.join(" "));
  return stdout;
}

async function check(archive: string): Promise<void> {
  if (CHECK_PXAR === undefined) return;
  await runCommand(["python3", CHECK_PXAR, archive], { timeoutMs: TIMEOUT_MS });
}

Deno.test("an unreadable part of a file costs that part, in archives to files and pipes", async () => {
  await using store = await PbsStore.create();
  await using bad = await BadSector.make(store);
  for (const name of ["plain.pxar", "split.mpxar"]) {
    const archive = bad.home.join(name);
    const made = await pbkfs(["pxar", "create", archive, bad.root, "--format", "json"]);
    assert.equal(made.code, 1, made.stderr);
    const summary = JSON.parse(made.stdout);
    assert.deepEqual([summary.incomplete, summary.errors, summary.entries], [true, 1, 3]);
    const [problem, error] = made.stderr.trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual([problem.code, problem.path, problem.severity], [
      "incomplete",
      "/bad",
      "error",
    ]);
    assert.match(problem.message, /EIO/);
    assert.equal(error.code, "partial");
    assert.equal(await bytesOf(["pxar", "cat", archive, "/zgood"]).then((it) => it.length), 5);
    bad.checkZeros(await bytesOf(["pxar", "cat", archive, "/bad"]));
    await check(archive);
    await pbkfs(["pxar", "verify", archive], true);
  }
  const piped = bad.home.join("piped.pxar");
  const [program, ...rest] = pbkfsCommand(["pxar", "create", "-", bad.root]);
  const { code, stdout } = await new Deno.Command(program!, { args: rest }).output();
  assert.equal(code, 1);
  Deno.writeFileSync(piped, stdout);
  assert.deepEqual(stdout, Deno.readFileSync(bad.home.join("plain.pxar")));
});

Deno.test("an unreadable part of a file costs that part of a snapshot, and the next one reads it again", async () => {
  await using store = await PbsStore.create();
  await using bad = await BadSector.make(store);
  const env = { PBS_REPOSITORY: `dir:${store.path}` };
  for (const mode of MODES) {
    const options = ["--backup-id", mode, "--change-detection-mode", mode];
    const made = await store.run(["backup", `s.pxar:${bad.root}`, ...options, "--format", "json"]);
    assert.equal(made.code, 1, made.stderr);
    const summary = JSON.parse(made.stdout);
    assert.deepEqual([summary.incomplete, summary.errors, summary.files], [true, 1, 2]);
    bad.checkZeros(await bytesOf(["pbs", "cat", `host/${mode}`, "s.pxar", "/bad"], env));
    assert.match(await store.must(["snapshots", `host/${mode}`]), new RegExp(mode));
  }
  const text = await store.run(["backup", `s.pxar:${bad.root}`, "--backup-id", "text"]);
  assert.match(text.stdout, /^Snapshot: host\/text\/\S+ \(incomplete\)$/m);
  assert.match(text.stderr, /^error: "s\.pxar:\/bad": Cannot read at offset \d+: EIO/);
  await bad.mend(store);
  for (const mode of MODES) {
    const options = ["--backup-id", mode, "--change-detection-mode", "metadata"];
    const summary = await store.backup([`s.pxar:${bad.root}`, ...options]);
    assert.equal(summary.incomplete, false);
    const stored = await bytesOf(["pbs", "cat", `host/${mode}`, "s.pxar", "/bad"], env);
    assert.deepEqual(stored, bad.content, mode);
  }
});

Deno.test("--error-on-incomplete keeps nothing of an archive or snapshot with an unreadable file", async () => {
  await using store = await PbsStore.create();
  await using bad = await BadSector.make(store);
  const archive = bad.home.join("strict.pxar");
  const made = await pbkfs(["pxar", "create", archive, bad.root, "--error-on-incomplete"]);
  assert.equal(made.code, 1);
  assert.match(made.stderr, /^pbkfs error: Stopped at "\/bad"/m);
  assert.throws(() => Deno.lstatSync(archive), Deno.errors.NotFound);
  for (const mode of MODES) {
    const options = ["--backup-id", mode, "--change-detection-mode", mode];
    const { code, stdout } = await store.run([
      "backup",
      `s.pxar:${bad.root}`,
      ...options,
      "--error-on-incomplete",
    ]);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.doesNotMatch(await store.must(["snapshots"]), new RegExp(`host/${mode}/`));
  }
});

Deno.test("a mount whose server is dead costs its directory", async () => {
  await using store = await PbsStore.create();
  await using dead = new ArchiveMount();
  const tree = dead.home.join("tree");
  Deno.mkdirSync(`${tree}/other`, { recursive: true });
  for (const name of ["a", "z", "other/x"]) Deno.writeTextFileSync(`${tree}/${name}`, name);
  await pbkfs(["pxar", "create", dead.home.join("other.pxar"), `${tree}/other`], true);
  await dead.mount(dead.home.join("other.pxar"));
  const workers = await runCommand(
    ["pgrep", "-f", dead.root],
    { timeoutMs: TIMEOUT_MS, check: false },
  );
  for (const pid of workers.stdout.trim().split("\n")) Deno.kill(Number(pid), "SIGKILL");
  while (isAnswering(dead.root)) await new Promise((resolve) => setTimeout(resolve, 20));
  const archive = dead.home.join("home.pxar");
  const options = ["--all-file-systems", "--format", "json", "--exclude", "*.pxar"];
  const made = await pbkfs(["pxar", "create", archive, dead.home.path, ...options]);
  assert.equal(made.code, 1, made.stderr);
  assert.equal(JSON.parse(made.stdout).incomplete, true);
  assert.match(made.stderr, /"path":"\/mnt".*ENOTCONN/);
  const listed = (await pbkfs(["pxar", "list", archive], true)).stdout;
  for (const path of ["/tree/a", "/tree/z", "/tree/other/x"]) {
    assert.ok(listed.includes(path), listed);
  }
  for (const mode of MODES) {
    const { code, stderr } = await store.run([
      "backup",
      `s.pxar:${dead.home.path}`,
      "--all-file-systems",
      "--change-detection-mode",
      mode,
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /s\.pxar:\/mnt.*ENOTCONN/);
  }
});

function isAnswering(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("an unreadable part of an image becomes zeros, and a blob with one is left out", async () => {
  await using store = await PbsStore.create();
  await using bad = await BadSector.make(store);
  const sources = [`b.img:${bad.root}/bad`, `c.conf:${bad.root}/bad`, `d.conf:${bad.root}/zgood`];
  const made = await store.run(["backup", ...sources, "--backup-id", "img", "--format", "json"]);
  assert.equal(made.code, 1, made.stderr);
  assert.equal(JSON.parse(made.stdout).incomplete, true);
  assert.match(made.stderr, /"path":"b\.img".*at offset \d+: EIO/);
  assert.equal(made.stderr.match(/"path":"b\.img"/g)?.length, 1, "one line for the whole range");
  assert.match(made.stderr, /"path":"c\.conf".*left out/);
  const image = bad.home.join("b");
  await store.must(["restore", "host/img", "b.img", image]);
  bad.checkZeros(Deno.readFileSync(image));
  assert.equal(await store.must(["restore", "host/img", "d.conf", "-"]), "good\n");
  const listed = await store.must(["snapshots"]);
  const strict = ["--error-on-incomplete", "--backup-id", "strict"];
  // What comes first has been stored when the blob cannot be read: it is given up, too.
  for (const refused of [[sources[0]!], [sources[1]!], [sources[2]!, sources[1]!]]) {
    const { code, stdout, stderr } = await store.run(["backup", ...refused, ...strict]);
    assert.equal(code, 1);
    assert.match(stderr, /Stopped at ".*\/bad", which would be missing or incomplete/);
    assert.doesNotMatch(stdout, /strict/);
    assert.equal(await store.must(["snapshots"]), listed);
    const groups = [...Deno.readDirSync(`${store.path}/host`)].map(({ name }) => name);
    assert.deepEqual(groups.sort(), ["img", "source"]);
  }
  await bad.mend(store);
  await store.must(["backup", ...sources, ...strict]);
  assert.match(await store.must(["snapshots"]), /host\/strict/);
});
