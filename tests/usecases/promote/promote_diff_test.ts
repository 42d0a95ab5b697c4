/** A complete diff becomes a plain directory, or stays what it is, whatever comes in between. */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { StateError, UsageError } from "#src/errors.ts";
import { cleanupDiffDirectory } from "#src/overlay/cleanup.ts";
import { openDiffDirectory } from "#src/overlay/diff_directory.ts";
import { openDiffReader } from "#src/overlay/diff_reader.ts";
import {
  promoteDiff,
  type PromotionStep,
  undoPromotion,
} from "#src/usecases/promote/promote_diff.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { HydratedDiff, type Manifest, manifestOf } from "./_hydrated_diff.ts";

const LAST_STEP = "removed" satisfies PromotionStep;

function failsWith(code: string, text = /./u) {
  return (error: unknown) => {
    assert.ok(error instanceof StateError || error instanceof UsageError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, text);
    return true;
  };
}

function namesIn(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

/** Everything at the places of a diff that was promoted, which is gone. */
function promoted(diff: HydratedDiff): Record<"target" | "space", Manifest> {
  assert.deepEqual(namesIn(diff.home.path), ["space", "target"]);
  const target = manifestOf(diff.target);
  const { "pg_tblspc/16400": link } = target;
  assert.equal(link, `link ${diff.tablespace}`);
  // The only one that names the place of the test.
  return { target: { ...target, "pg_tblspc/16400": "link" }, space: manifestOf(diff.tablespace) };
}

/** Times of last change of files and of the directories that they are in. */
function timesIn(root: string, paths: readonly string[]): Record<string, number> {
  const all = new Set(paths.flatMap((path) => [path, dirname(path)]));
  return Object.fromEntries(
    [...all].map((path) => [path, Deno.statSync(`${root}/${path}`).mtime!.getTime()]),
  );
}

let known: ReturnType<typeof promoted> | undefined;

/** What comes of it without interruptions. */
function expected(): ReturnType<typeof promoted> {
  if (known === undefined) {
    using diff = new HydratedDiff();
    promoteDiff(diff.request);
    known = promoted(diff);
  }
  return known;
}

Deno.test("promoteDiff() makes a plain directory with everything that the mount has shown", () => {
  using diff = new HydratedDiff();
  const shown = diff.shown();
  const times = timesIn(`${diff.path}/data`, Object.keys(shown));
  const steps: PromotionStep[] = [];
  const summary = promoteDiff(diff.request, (step) => steps.push(step));
  assert.equal(steps.at(-1), LAST_STEP);
  assert.equal(summary.targetPath, diff.target);
  assert.deepEqual(summary.tablespaces, [diff.tablespace]);
  const { target, space } = promoted(diff);
  for (const [path, content] of Object.entries(shown)) {
    assert.deepEqual(Deno.readFileSync(`${diff.target}/${path}`), content, path);
  }
  const files = Object.keys(target).filter((path) => target[path]!.startsWith("file"));
  assert.deepEqual(files.sort(), Object.keys(shown).sort());
  assert.deepEqual(timesIn(diff.target, Object.keys(shown)), times);
  assert.equal(target["base"], "directory 750");
  assert.equal(target["link"], "link base/1");
  assert.equal(target["fifo"], "special 600");
  assert.equal(Deno.statSync(`${diff.target}/a`).ino, Deno.statSync(`${diff.target}/b`).ino);
  assert.equal(
    Deno.statSync(`${diff.target}/new`).ino,
    Deno.statSync(`${diff.target}/base/new`).ino,
  );
  assert.deepEqual(Object.keys(space), ["", "PG_15_202209061", "PG_15_202209061/7"]);
  // Nobody else has a name of it.
  assert.equal(Deno.statSync(`${diff.target}/base/1`).nlink, 1);
});

const STEPS: readonly PromotionStep[] = [
  "marked",
  "settled",
  "unwrapped",
  "built",
  "synced",
  "tablespaces placed",
  "placed",
  "removed",
];

/** Ends it where a kill could. */
function promoteUntil(diff: HydratedDiff, last: PromotionStep): void {
  assert.throws(() => {
    promoteDiff(diff.request, (step) => {
      if (step === last) throw new Error("killed");
    });
  }, /killed/u);
}

Deno.test("A promotion that was killed after any step goes on when it is run again, or is undone", () => {
  for (const step of STEPS.slice(0, -1)) {
    using diff = new HydratedDiff();
    const shown = diff.shown();
    const before = namesIn(diff.path);
    promoteUntil(diff, step);
    assert.equal(namesIn(diff.home.path).includes("target"), step === "placed", step);
    const mount = { sourcePlaces: [], mountPath: diff.home.join("mnt"), force: true };
    assert.throws(() => openDiffDirectory(diff.path, mount), failsWith("promoted"), step);
    assert.throws(() => openDiffReader(diff.path), failsWith("promoted"), step);
    if (step === "placed") {
      assert.throws(() => undoPromotion(diff.path), failsWith("promoted", /became/u));
    } else {
      assert.throws(() => cleanupDiffDirectory(diff.path, { force: false }), failsWith("promoted"));
      assert.equal(undoPromotion(diff.path), diff.target);
      assert.deepEqual(namesIn(diff.home.path), ["diff"], step);
      assert.deepEqual(namesIn(diff.path).filter((name) => name !== "unwrapping"), before, step);
      assert.deepEqual(diff.shown(), shown, step);
      assert.throws(() => undoPromotion(diff.path), failsWith("not-found"));
      promoteUntil(diff, step);
    }
    promoteDiff(diff.request);
    assert.deepEqual(promoted(diff), expected(), step);
  }
});

Deno.test("promoteDiff() refuses before it begins what cannot be promoted", () => {
  using diff = new HydratedDiff();
  const { request, home, binding } = diff;
  Deno.mkdirSync(home.join("full/x"), { recursive: true });
  const refused: [Partial<typeof request>, code: string, text: RegExp][] = [
    [{ tablespaces: new Map() }, "usage", /where tablespace 16400 goes/u],
    [{ tablespaces: new Map([["16400", diff.tablespace], ["5", "/x"]]) }, "usage", /"5"/u],
    [{ targetPath: home.join("full") }, "exists", /something is there/u],
    [{ targetPath: home.join("diff/data/x") }, "overlap", /overlap/u],
    [{ targetPath: home.join("space/x") }, "overlap", /overlap/u],
    [{ targetPath: home.path }, "overlap", /overlap/u],
    [{ targetPath: "/dev/shm/pbkfs-nothing" }, "usage", /another file system/u],
    [{ targetPath: "/proc" }, "exists", /something is there/u],
    [{ diffPath: home.join("full") }, "foreign-diff", /no binding/u],
    [{ diffPath: home.join("nothing") }, "not-found", /not a diff directory/u],
  ];
  for (const [changes, code, text] of refused) {
    assert.throws(() => promoteDiff({ ...request, ...changes }), failsWith(code, text));
  }
  assert.throws(() => promoteDiff({ ...request, targetPath: home.join("no/x") }), {
    code: "ENOENT",
  });
  diff.editBinding({ no_wal_used: true });
  assert.throws(() => promoteDiff(request), failsWith("no-wal-used"));
  Deno.writeTextFileSync(`${diff.path}/.pbkfs-binding.json`, JSON.stringify(binding));
  for (const [name, code] of [[".pbkfs-dirty", "dirty"], [".pbkfs-copies", "dirty"]] as const) {
    Deno.writeTextFileSync(`${diff.path}/${name}`, "of another boot\n");
    assert.throws(() => promoteDiff(request), failsWith(code));
    Deno.removeSync(`${diff.path}/${name}`);
  }
  Deno.mkdirSync(`${diff.path}/links/5`);
  assert.throws(() => promoteDiff(request), failsWith("not-hydrated"));
  Deno.removeSync(`${diff.path}/links/5`);
  Deno.removeSync(`${diff.path}/.pbkfs-hydrated`);
  assert.throws(() => promoteDiff(request), failsWith("not-hydrated"));
  assert.deepEqual(diff.binding, binding, "nothing was begun");
  assert.deepEqual(namesIn(home.path), ["diff", "full"]);
});

Deno.test("promoteDiff() believes no mark where blocks are missing, and can be undone then", () => {
  using diff = new HydratedDiff(false);
  const shown = diff.shown();
  Deno.removeSync(`${diff.path}/links`, { recursive: true });
  const request = { ...diff.request, tablespaces: new Map<string, string>() };
  assert.throws(() => promoteDiff(request), failsWith("not-hydrated", /blocks of/u));
  undoPromotion(diff.path);
  delete shown["a"];
  delete shown["b"];
  const { a: _a, b: _b, ...after } = diff.shown();
  assert.deepEqual(after, shown);
});

Deno.test("A promotion that was begun goes to the same target, or is undone first", () => {
  using diff = new HydratedDiff();
  promoteUntil(diff, "built");
  const targetPath = diff.home.join("other");
  assert.throws(
    () => promoteDiff({ ...diff.request, targetPath }),
    failsWith("promoted", /begun/u),
  );
  undoPromotion(diff.path);
  Deno.mkdirSync(targetPath);
  promoteDiff({ ...diff.request, targetPath });
  assert.ok(Deno.statSync(`${targetPath}/PG_VERSION`).isFile);
});

Deno.test("What cannot be made plain in place is copied, once for all its names", () => {
  // No file system in memory can cut a range out of a file.
  if (!isInMemory()) return;
  using memory = new TempDirectory("promote", true);
  using diff = new HydratedDiff();
  const path = memory.join("diff");
  new Deno.Command("cp", { args: ["-a", diff.path, path] }).outputSync();
  const [targetPath, space] = [memory.join("target"), memory.join("space")];
  const tablespaces = new Map([["16400", space]]);
  const { copiedBytes, unwrapped } = promoteDiff({ diffPath: path, targetPath, tablespaces });
  assert.equal(unwrapped, 0);
  assert.ok(copiedBytes > 0);
  const target = { ...manifestOf(targetPath), "pg_tblspc/16400": "link" };
  assert.deepEqual({ target, space: manifestOf(space) }, expected());
});

function isInMemory(): boolean {
  using place = new TempDirectory("memory", true);
  return place.path.startsWith("/dev/shm");
}
