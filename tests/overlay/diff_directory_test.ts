import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { FormatError, StateError, UsageError } from "#src/errors.ts";
import { type Binding, type BoundSource, parseBinding } from "#src/overlay/binding.ts";
import { cleanupDiffDirectory } from "#src/overlay/cleanup.ts";
import {
  type DiffDirectory,
  type DiffRequest,
  openDiffDirectory,
  readBinding,
} from "#src/overlay/diff_directory.ts";
import { acquireDiffLock, findLockHolder } from "#src/overlay/diff_lock.ts";
import { isHydrated, noteHydrated } from "#src/overlay/hydration/hydrated_mark.ts";
import { measureDiff } from "#src/overlay/diff_usage.ts";
import { denoRunCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const SOURCE: BoundSource = {
  kind: "test",
  name: "/somewhere/it",
  fingerprint: "5".repeat(64),
  ids: ["TOTXMX", "TOTXPE"],
  keys: { their_key: "theirs" },
};

const FACTS = { source: SOURCE, extendedAttributes: false, programVersion: "0.1.0" };

/** A store, a mount point, and room for a diff directory. */
class Place {
  readonly directory = new TempDirectory("diff");
  readonly diff = this.directory.join("diff");
  readonly storePath = this.directory.join("store");
  readonly request: DiffRequest;

  constructor() {
    Deno.mkdirSync(this.storePath);
    Deno.mkdirSync(this.directory.join("mnt"));
    this.request = {
      sourcePlaces: [{ what: "store", path: this.storePath }],
      mountPath: this.directory.join("mnt"),
      force: false,
    };
  }

  open(changes: Partial<DiffRequest> = {}): DiffDirectory {
    return openDiffDirectory(this.diff, { ...this.request, ...changes });
  }

  /** Binds a fresh diff directory and ends its use cleanly. */
  bindOnce(changes: Partial<typeof FACTS> = {}): Binding {
    const diff = this.open();
    diff.bind({ ...FACTS, ...changes });
    diff.release();
    return this.binding;
  }

  get binding(): Binding {
    return JSON.parse(Deno.readTextFileSync(`${this.diff}/.pbkfs-binding.json`));
  }

  editBinding(changes: Record<string, unknown>): void {
    const text = JSON.stringify({ ...this.binding, ...changes });
    Deno.writeTextFileSync(`${this.diff}/.pbkfs-binding.json`, text);
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

function failsWith(code: string) {
  return (error: unknown) => {
    assert.ok(error instanceof StateError, String(error));
    assert.equal(error.code, code);
    return true;
  };
}

function mode(path: string): number {
  return Deno.lstatSync(path).mode! & 0o7777;
}

Deno.test("openDiffDirectory() makes a private directory with all that a mount needs", () => {
  using place = new Place();
  place.bindOnce();
  assert.equal(mode(place.diff), 0o700);
  assert.equal(mode(`${place.diff}/data/.pbkfs`), 0o755);
  assert.equal(mode(`${place.diff}/.pbkfs-binding.json`), 0o600);
  assert.equal(Deno.readLinkSync(`${place.diff}/.pbkfs`), "data/.pbkfs");
  const names = [...Deno.readDirSync(place.diff)].map((entry) => entry.name).sort();
  assert.deepEqual(names, [".pbkfs", ".pbkfs-binding.json", "data", "tmp"]);
});

Deno.test("openDiffDirectory() leaves no directory behind that was never bound", () => {
  using place = new Place();
  place.open().abandon();
  assert.throws(() => Deno.statSync(place.diff), Deno.errors.NotFound);
});

Deno.test("DiffDirectory.bind() records whose the diff is", () => {
  using place = new Place();
  const diff = place.open();
  diff.bind(FACTS);
  assert.equal(place.binding.state, "Active");
  diff.release();
  const { binding } = place;
  assert.equal(binding.state, "Released");
  const { keys: _, ...mark } = SOURCE;
  assert.equal(binding.format_version, 2);
  assert.deepEqual(binding.source, mark);
  assert.equal(binding["their_key"], "theirs");
  assert.equal(binding.owner_pid, Deno.pid);
});

Deno.test("DiffDirectory.bind() never changes nonce, id and time of creation", () => {
  using place = new Place();
  const first = place.bindOnce();
  place.editBinding({ created_at: 5 });
  const second = place.bindOnce();
  assert.match(first.nonce, /^[0-9a-f]{32}$/);
  assert.equal(second.nonce, first.nonce);
  assert.equal(second.binding_id, first.binding_id);
  assert.equal(second.created_at, 5);
});

Deno.test("openDiffDirectory() shows the record once it is locked, and may be told to refuse it", () => {
  using place = new Place();
  place.open({ checkBinding: () => assert.fail("nothing is bound") }).abandon();
  place.bindOnce();
  Deno.writeTextFileSync(`${place.diff}/tmp/left`, "by a killed mount");
  const refuse = (binding: Binding) => {
    assert.equal(binding["their_key"], "theirs");
    throw new StateError("no-wal-used", "not this one");
  };
  assert.throws(() => place.open({ checkBinding: refuse }), failsWith("no-wal-used"));
  assert.equal(findLockHolder(place.diff), undefined);
  assert.throws(() => Deno.statSync(`${place.diff}/tmp/left`), Deno.errors.NotFound);
});

Deno.test("readBinding() reads what a directory is bound to, and nothing of what is no directory", () => {
  using place = new Place();
  assert.equal(readBinding(place.diff), undefined);
  Deno.writeTextFileSync(place.directory.join("file"), "");
  assert.equal(readBinding(place.directory.join("file")), undefined);
  const binding = place.bindOnce();
  Deno.symlinkSync(place.diff, place.directory.join("link"));
  assert.deepEqual(readBinding(place.directory.join("link")), binding);
});

Deno.test("DiffDirectory.bind() refuses another source, even if forced, and one that has changed", () => {
  using place = new Place();
  const before = place.bindOnce();
  const others: [Partial<BoundSource>, code: string][] = [
    [{ kind: "other" }, "bound-elsewhere"],
    [{ kind: "other", fingerprint: "x" }, "bound-elsewhere"],
    [{ name: "/somewhere/else", fingerprint: "x" }, "bound-elsewhere"],
    [{ fingerprint: "x" }, "source-changed"],
    [{ ids: ["TOTXMX"] }, "source-changed"],
    [{ ids: ["TOTXMX", "TOTXPF"] }, "source-changed"],
  ];
  for (const [change, code] of others) {
    const source = { ...SOURCE, ...change };
    const diff = place.open();
    assert.throws(() => diff.bind({ ...FACTS, source }), failsWith(code));
    diff.abandon();
    assert.deepEqual(place.binding, before);
    const forced = place.open({ force: true });
    if (code === "source-changed") assert.equal(forced.bind({ ...FACTS, source }), "has changed");
    else assert.throws(() => forced.bind({ ...FACTS, source }), failsWith(code));
    forced.abandon();
    Deno.writeTextFileSync(`${place.diff}/.pbkfs-binding.json`, JSON.stringify(before));
  }
});

Deno.test("DiffDirectory.bind() takes the same source under another name, and records that", () => {
  using place = new Place();
  place.bindOnce();
  const diff = place.open();
  assert.equal(diff.bind({ ...FACTS, source: { ...SOURCE, name: "/moved" } }), undefined);
  diff.release();
  assert.equal(place.binding.source?.name, "/moved");
});

Deno.test("A source decides itself whether a difference matters", () => {
  using place = new Place();
  place.bindOnce();
  const asked: [Binding, boolean][] = [];
  const accept = (former: Binding, isForced: boolean) => {
    asked.push([former, isForced]);
    return "is another one";
  };
  const unchanged = place.open();
  assert.equal(unchanged.bind({ ...FACTS, source: { ...SOURCE, accept } }), undefined);
  unchanged.release();
  assert.equal(asked.length, 0, "marks that are the same need no question");
  const changed = place.open({ force: true });
  const source = { ...SOURCE, fingerprint: "x", accept };
  assert.equal(changed.bind({ ...FACTS, source }), "is another one");
  changed.release();
  assert.equal(asked.length, 1);
  assert.equal(asked[0]![0]["their_key"], "theirs");
  assert.equal(asked[0]![1], true);
});

Deno.test("A record of version 1 stays one, and only its own source can say whose it is", () => {
  using place = new Place();
  const { source: _, ...rest } = place.bindOnce();
  const old = { ...rest, format_version: 1 };
  Deno.writeTextFileSync(`${place.diff}/.pbkfs-binding.json`, JSON.stringify(old));
  const stranger = place.open({ force: true });
  assert.throws(() => stranger.bind(FACTS), failsWith("bound-elsewhere"));
  stranger.abandon();
  const owner = place.open();
  owner.bind({ ...FACTS, source: { ...SOURCE, accept: () => undefined } });
  owner.release();
  assert.equal(place.binding.format_version, 1);
  assert.equal(place.binding.source, undefined);
  assert.equal(place.binding.nonce, old.nonce);
  assert.equal(place.binding["their_key"], "theirs");
});

Deno.test("openDiffDirectory() refuses a dirty directory unless forced", () => {
  using place = new Place();
  const diff = place.open();
  diff.bind(FACTS);
  diff.markDirty();
  diff.abandon();
  assert.throws(() => place.open(), failsWith("dirty"));
  const forced = place.open({ force: true });
  forced.bind(FACTS);
  forced.release();
  place.open().abandon();
});

Deno.test("DiffDirectory.clearDirty() makes the directory mountable again", () => {
  using place = new Place();
  const diff = place.open();
  diff.bind(FACTS);
  diff.markDirty();
  diff.clearDirty();
  diff.release();
  place.open().abandon();
});

Deno.test("The mark of a diff that has everything stays over mounts, and is that of its tree", () => {
  using place = new Place();
  const nonce = Uint8Array.fromHex(place.bindOnce().nonce);
  assert.equal(isHydrated(place.diff, nonce), false);
  noteHydrated(place.diff, nonce);
  place.bindOnce();
  assert.equal(isHydrated(place.diff, nonce), true);
  assert.equal(isHydrated(place.diff, nonce.map((byte) => byte ^ 1)), false);
  Deno.removeSync(`${place.diff}/.pbkfs-binding.json`);
  cleanupDiffDirectory(place.diff, { force: false });
  assert.deepEqual([...Deno.readDirSync(place.diff)], []);
});

Deno.test("openDiffDirectory() refuses directories that overlap", () => {
  using place = new Place();
  const { storePath, request: { mountPath } } = place;
  const overlaps: [string, Partial<DiffRequest>][] = [
    [storePath, {}],
    [`${storePath}/diff`, {}],
    [`${mountPath}/diff`, {}],
    [place.directory.path, {}],
    [place.diff, { mountPath: storePath }],
    [place.diff, { mountPath: `${storePath}/inner` }],
  ];
  for (const [diff, changes] of overlaps) {
    assert.throws(
      () => openDiffDirectory(diff, { ...place.request, ...changes }),
      (error) => error instanceof UsageError && error.code === "overlap",
    );
  }
  assert.deepEqual([...Deno.readDirSync(storePath)], []);
});

Deno.test("openDiffDirectory() refuses another tool's directory and leaves it untouched", () => {
  const makers: Record<string, (diff: string) => void> = {
    "a binding without format_version": (diff) =>
      Deno.writeTextFileSync(
        `${diff}/.pbkfs-binding.json`,
        JSON.stringify({ binding_id: "x", pbkfs_version: "0.1.0", state: "Released" }),
      ),
    "page deltas": (diff) => {
      Deno.mkdirSync(`${diff}/data/base/5`, { recursive: true });
      Deno.writeTextFileSync(`${diff}/data/base/5/1.patch`, "PBKPATCH");
    },
    "somebody's files": (diff) => Deno.writeTextFileSync(`${diff}/thesis.tex`, "x"),
    "somebody's directory": (diff) => Deno.mkdirSync(`${diff}/src`),
    "something in tmp, which would be emptied": (diff) => {
      Deno.mkdirSync(`${diff}/tmp`);
      Deno.writeTextFileSync(`${diff}/tmp/kept`, "x");
    },
    "whiteouts": (diff) => {
      Deno.mkdirSync(`${diff}/data`, { recursive: true });
      Deno.writeTextFileSync(`${diff}/data/.wh.PG_VERSION`, "");
    },
  };
  for (const [what, make] of Object.entries(makers)) {
    using place = new Place();
    Deno.mkdirSync(place.diff);
    make(place.diff);
    const before = Deno.statSync(place.diff).mtime?.getTime();
    assert.throws(() => place.open({ force: true }), failsWith("foreign-diff"), what);
    assert.equal(Deno.statSync(place.diff).mtime?.getTime(), before, what);
  }
});

Deno.test("openDiffDirectory() takes an empty file system, and what an interrupted start has left", () => {
  using place = new Place();
  Deno.mkdirSync(`${place.diff}/lost+found`, { recursive: true });
  Deno.writeTextFileSync(`${place.diff}/.pbkfs-lock`, "");
  Deno.writeTextFileSync(`${place.diff}/.pbkfs-binding.json.new`, "{");
  place.open().abandon();
  assert.ok(Deno.statSync(`${place.diff}/lost+found`).isDirectory);
});

Deno.test("openDiffDirectory() refuses links in place of its own files", () => {
  using place = new Place();
  Deno.mkdirSync(place.diff);
  Deno.writeTextFileSync(place.directory.join("victim"), "{}");
  Deno.symlinkSync(place.directory.join("victim"), `${place.diff}/.pbkfs-binding.json`);
  assert.throws(() => place.open(), failsWith("foreign-diff"));
  Deno.removeSync(`${place.diff}/.pbkfs-binding.json`);
  Deno.symlinkSync(place.directory.join("victim"), `${place.diff}/.pbkfs-lock`);
  assert.throws(() => place.open());
  assert.equal(Deno.readTextFileSync(place.directory.join("victim")), "{}");
});

Deno.test("openDiffDirectory() refuses what is no directory", () => {
  using place = new Place();
  Deno.writeTextFileSync(place.diff, "");
  assert.throws(() => place.open(), { name: "OsError", code: "ENOTDIR" });
});

Deno.test("parseBinding() refuses damaged records", () => {
  using place = new Place();
  const good = place.bindOnce();
  const refused: unknown[] = [
    null,
    [],
    5,
    { ...good, nonce: "xyz" },
    { ...good, source: undefined },
    { ...good, source: { ...good.source, kind: "../x" } },
    { ...good, source: { ...good.source, name: 5 } },
    { ...good, source: { ...good.source, fingerprint: null } },
    { ...good, source: { ...good.source, ids: ["a", 5] } },
    { ...good, state: "Unknown" },
    { ...good, owner_pid: -1 },
    { ...good, created_at: "now" },
    { ...good, xattrs_used: "yes" },
    { ...good, format_version: "1" },
    { ...good, format_version: 3 },
  ];
  for (const value of refused) {
    assert.throws(() => parseBinding(JSON.stringify(value), "x"), FormatError);
  }
  const text = JSON.stringify(good);
  for (let length = 0; length < text.length; length++) {
    assert.throws(() => parseBinding(text.slice(0, length), "x"), FormatError);
  }
  assert.deepEqual(parseBinding(text, "x"), good);
});

Deno.test("parseBinding() says which format version is not supported", () => {
  using place = new Place();
  const text = JSON.stringify({ ...place.bindOnce(), format_version: 7 });
  assert.throws(() => parseBinding(text, "x"), { code: "unsupported" });
});

Deno.test("openDiffDirectory() refuses a record that is longer than any of ours", () => {
  using place = new Place();
  place.bindOnce();
  place.editBinding({ their_key: ["x".repeat(2_000_000)] });
  assert.throws(() => place.open(), { code: "limit" });
});

const HOLDER = fileURLToPath(new URL("./_lock_holder.ts", import.meta.url));

async function holdLock(place: Place): Promise<RunningCommand> {
  const { storePath, request: { mountPath } } = place;
  const permissions = ["--allow-ffi", "--allow-read", "--allow-write"];
  const command = denoRunCommand(permissions, HOLDER, [place.diff, storePath, mountPath]);
  const holder = new RunningCommand(command, { interactive: true });
  await waitUntil(() => holder.stdout.includes("locked"), 20_000, () => holder.stderr, 10);
  return holder;
}

Deno.test("openDiffDirectory() refuses what a live process holds, and not what a dead one held", async () => {
  using place = new Place();
  const holder = await holdLock(place);
  try {
    assert.throws(() => place.open(), (error) => {
      assert.ok(failsWith("locked")(error));
      assert.ok(String(error).includes(`process ${holder.pid}`));
      return true;
    });
    assert.equal(findLockHolder(place.diff)?.pid, holder.pid);
    assert.throws(
      () => cleanupDiffDirectory(place.diff, { force: false }),
      /Cleanup blocked: diff directory in use by process \d+/,
    );
  } finally {
    holder.signalGroup("SIGKILL");
    await holder.wait(10_000);
  }
  assert.ok(Deno.statSync(`${place.diff}/.pbkfs-lock`).isFile);
  assert.equal(findLockHolder(place.diff), undefined);
  place.open().abandon();
});

Deno.test("openDiffDirectory() takes no notice of a lock file that nobody holds", () => {
  using place = new Place();
  place.bindOnce();
  // The pid of a live process: pids are reused.
  Deno.writeTextFileSync(`${place.diff}/.pbkfs-lock`, JSON.stringify({ pid: Deno.pid }));
  place.open().abandon();
});

Deno.test("acquireDiffLock() is free again after release, however often", () => {
  using place = new Place();
  Deno.mkdirSync(place.diff);
  const record = { pid: Deno.pid, startTime: 0, diffPath: place.diff, mountPath: "/m" };
  for (let round = 0; round < 3; round++) {
    const lock = acquireDiffLock(place.diff, record);
    assert.throws(() => acquireDiffLock(place.diff, record), failsWith("locked"));
    lock.release();
    lock.release();
  }
});

Deno.test("cleanupDiffDirectory() empties the directory and keeps it", () => {
  using place = new Place();
  place.bindOnce();
  Deno.mkdirSync(`${place.diff}/data/base/5`, { recursive: true });
  Deno.writeTextFileSync(`${place.diff}/data/base/5/1`, "x");
  Deno.chmodSync(`${place.diff}/data/base`, 0o500);
  Deno.writeTextFileSync(`${place.diff}/unrelated`, "x");
  assert.ok(cleanupDiffDirectory(place.diff, { force: false }) >= 8);
  assert.deepEqual([...Deno.readDirSync(place.diff)], []);
  assert.equal(cleanupDiffDirectory(place.diff, { force: false }), 0);
});

Deno.test("cleanupDiffDirectory() leaves alone what a live process holds, by force too", async () => {
  using place = new Place();
  place.bindOnce();
  const holder = await holdLock(place);
  try {
    // Neither itself, nor a part of it, nor inside of another one.
    for (const path of [place.diff, `${place.diff}/data`, place.directory.path]) {
      const inUse = new RegExp(`in use by process ${holder.pid} \\("${place.diff}"\\)`);
      assert.throws(() => cleanupDiffDirectory(path, { force: true }), inUse, path);
      assert.ok(Deno.statSync(`${place.diff}/data/.pbkfs`).isDirectory, path);
    }
  } finally {
    holder.signalGroup("SIGKILL");
    await holder.wait(10_000);
  }
  assert.ok(cleanupDiffDirectory(place.diff, { force: true }) > 0);
  assert.deepEqual([...Deno.readDirSync(place.diff)], []);
});

Deno.test("cleanupDiffDirectory() does not follow links", () => {
  using place = new Place();
  place.bindOnce();
  const victim = place.directory.join("victim");
  Deno.mkdirSync(victim);
  Deno.writeTextFileSync(`${victim}/file`, "x");
  Deno.symlinkSync(victim, `${place.diff}/data/link`);
  cleanupDiffDirectory(place.diff, { force: false });
  assert.equal(Deno.readTextFileSync(`${victim}/file`), "x");
});

Deno.test("cleanupDiffDirectory() refuses the root directory and what is no directory", () => {
  using place = new Place();
  assert.throws(() => cleanupDiffDirectory("/", { force: true }), UsageError);
  assert.throws(() => cleanupDiffDirectory("/tmp/..", { force: true }), UsageError);
  Deno.writeTextFileSync(place.diff, "");
  assert.throws(() => cleanupDiffDirectory(place.diff, { force: true }), { code: "ENOTDIR" });
  assert.throws(
    () => cleanupDiffDirectory(`${place.diff}-missing`, { force: true }),
    { code: "ENOENT" },
  );
});

Deno.test("cleanupDiffDirectory() needs force for what is not known to be a diff of ours", () => {
  const makers: Record<string, (diff: string) => void> = {
    "somebody's files": (diff) => Deno.writeTextFileSync(`${diff}/thesis.tex`, "x"),
    "a lock without binding": (diff) => Deno.writeTextFileSync(`${diff}/.pbkfs-lock`, "{}"),
    "another tool's binding": (diff) =>
      Deno.writeTextFileSync(`${diff}/.pbkfs-binding.json`, '{"pbkfs_version":"0.1.0"}'),
  };
  for (const [what, make] of Object.entries(makers)) {
    using place = new Place();
    Deno.mkdirSync(place.diff);
    make(place.diff);
    assert.throws(
      () => cleanupDiffDirectory(place.diff, { force: false }),
      failsWith("foreign-diff"),
      what,
    );
    assert.equal(cleanupDiffDirectory(place.diff, { force: true }), 1, what);
  }
});

Deno.test("cleanupDiffDirectory() clears a diff whose binding is damaged", () => {
  using place = new Place();
  place.bindOnce();
  Deno.writeTextFileSync(`${place.diff}/.pbkfs-binding.json`, "{");
  cleanupDiffDirectory(place.diff, { force: false });
  assert.deepEqual([...Deno.readDirSync(place.diff)], []);
});

Deno.test("measureDiff() counts files and space, without the worker's own", () => {
  using place = new Place();
  place.bindOnce();
  assert.deepEqual(measureDiff(place.diff), { bytes: 0, files: 0 });
  Deno.mkdirSync(`${place.diff}/data/base`);
  Deno.writeFileSync(`${place.diff}/data/base/1`, new Uint8Array(8192).fill(1));
  Deno.writeTextFileSync(`${place.diff}/data/.pbkfs/pbkfs.log`, "x");
  assert.deepEqual(measureDiff(place.diff), { bytes: 8192, files: 1 });
});
