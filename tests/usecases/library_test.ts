/** What the library offers of whole jobs, by names and with defaults. */

import assert from "node:assert/strict";
import { StateError, UsageError } from "#src/errors.ts";
import { openSource } from "#src/sources/mod.ts";
import { diffTrees } from "#src/transfer/mod.ts";
import { commit, copySource } from "#src/usecases/copying/mod.ts";
import { drill, REPORT_FORMS } from "#src/usecases/drill/mod.ts";
import { restore } from "#src/usecases/restore/mod.ts";
import { startOnSource } from "#src/usecases/run/mod.ts";
import { lastBackupOf, RunPlace } from "#tests/e2e/_run_place.ts";
import { changeDiff } from "#tests/support/changed_diff.ts";
import { buildDirectoryCatalog } from "#tests/support/directory_catalog.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

/** What differs between two sources. */
async function differences(left: string, right: string): Promise<string[]> {
  using one = await openSource(left);
  using other = await openSource(right);
  const [a, b] = [one.openTree(), other.openTree()];
  const found = [...diffTrees(a, b)].map(({ type, path }) => `${type} ${path}`);
  a.close();
  b.close();
  return found;
}

Deno.test("copySource(), commit() and restore() take names, and need nothing else", async () => {
  using home = new TempDirectory("library");
  const tree = home.join("tree");
  Deno.mkdirSync(`${tree}/base/1`, { recursive: true });
  Deno.writeTextFileSync(`${tree}/PG_VERSION`, "15\n");
  Deno.writeFileSync(`${tree}/base/1/16384`, new Uint8Array(5 * 8192).fill(1));
  buildDirectoryCatalog(home.join("catalog"), tree);
  Deno.mkdirSync(home.join("store/.chunks"), { recursive: true });
  const backup = home.join("catalog#directory/latest");

  const archive = home.join("x.pxar");
  const entries: string[] = [];
  const made = await copySource(backup, archive, { onEntry: (path) => entries.push(path) });
  assert.ok(made.kind === "archive" && made.path === archive);
  assert.ok(entries.includes("/base/1/16384"));
  assert.deepEqual(await differences(backup, archive), []);
  await assert.rejects(copySource(backup, archive), { name: "OsError" });
  await copySource(backup, archive, { isReplacing: true, exclude: ["base"] });
  assert.deepEqual(await differences(backup, archive), [
    "left-only /base",
    "left-only /base/1",
    "left-only /base/1/16384",
  ]);

  const stored = await copySource(backup, home.join("store#host/db"));
  assert.ok(stored.kind === "snapshot" && stored.report.isPartial === false);
  const snapshot = home.join("store#host/db/latest/root.pxar");
  assert.deepEqual(await differences(backup, snapshot), []);

  const diff = home.join("diff");
  await changeDiff(diff, { place: home.join("store"), item: "host/db/latest/root.pxar" }, (it) => {
    it.create("/new");
  });
  const time = stored.id.time + 60;
  const committed = await commit(diff, home.join("store#host/db/changed.pxar"), { time });
  assert.ok(committed.kind === "snapshot" && committed.id.time === time);
  assert.deepEqual(
    await differences(backup, home.join("store#host/db/latest/changed.pxar")),
    ["right-only /new"],
  );
  await assert.rejects(commit(tree, home.join("y.pxar")), StateError);
  await assert.rejects(commit(`pxar:${archive}`, home.join("y.pxar")), UsageError);

  let files = 0;
  const summary = await restore(backup, home.join("restored"), {
    onProgress: (progress) => files = progress.files,
  });
  assert.deepEqual([summary.files, summary.isResumed, files], [2, false, 2]);
  assert.deepEqual(
    Deno.readFileSync(home.join("restored/base/1/16384")),
    Deno.readFileSync(`${tree}/base/1/16384`),
  );
  await assert.rejects(restore(backup, home.join("restored")), { code: "exists" });
  const again = await restore(backup, home.join("restored"), { isIncremental: true });
  assert.equal(again.writtenBytes, 0);
});

Deno.test("startOnSource() starts a server for a program's own clients, and leaves nothing", async () => {
  const source = await lastBackupOf("a-stream-none");
  if (source === undefined) return;
  using place = new RunPlace();
  {
    await using server = await startOnSource({ source, workPath: place.work, readOnly: true });
    assert.ok(source.includes(server.sourceName.slice(server.sourceName.lastIndexOf("/"))));
    const { stdout } = await runCommand(["psql", "-XAtc", "show server_version_num"], {
      timeoutMs: 60_000,
      env: { ...server.environment },
    });
    assert.match(stdout, /^15\d{4}\n$/);
  }
  assert.deepEqual(place.remains(), []);
});

Deno.test("drill() says of a source that cannot be opened what is wrong with it", async () => {
  using place = new RunPlace();
  const file = place.home.join("x.pxar");
  Deno.writeTextFileSync(file, "no archive");
  const report = await drill({ source: `pxar:${file}`, workPath: place.work });
  assert.equal(report.outcome, "failed");
  assert.deepEqual(report.checks.map(({ name, outcome }) => [name, outcome]), [
    ["mount", "failed"],
  ]);
  for (const format of Object.values(REPORT_FORMS)) assert.ok(format([report]).includes("x.pxar"));
  assert.deepEqual(place.remains(), []);
});
