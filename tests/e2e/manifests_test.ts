/**
 * Every backup of every golden catalog, mounted, and the last of some promoted: names, modes,
 * sizes and contents are those of a restore.
 *
 * @module
 */

import assert from "node:assert/strict";
import { MountPlace, runPbkfs } from "#tests/support/pbkfs.ts";
import {
  fixtureBackupIds,
  type PgProbackupFixture,
  pgprobackupFixture,
  pgprobackupFixtureNames,
} from "#tests/support/pgprobackup_fixtures.ts";
import {
  assertSameTree,
  expectedTree,
  normalized,
  readManifest,
} from "#tests/support/restored_tree.ts";
import { type ManifestEntry, walkManifest } from "#tests/support/tree_manifest.ts";
import { placedTablespaces } from "./_promotion.ts";
import { storeState, walkInChild } from "#tests/support/walk.ts";

const EXTERNAL_FIXTURE = "f-tablespace-external";
/** The mount of the last backup becomes a directory. */
const PROMOTED = new Set(["c-stream-pglz", EXTERNAL_FIXTURE, "g1-merged-partial", "j-pg17-stream"]);

/** What the mount shows, with tablespaces below their links as the manifests list them. */
function mountedTree(
  entries: readonly ManifestEntry[],
  tablespaces: readonly ManifestEntry[],
): Map<string, ManifestEntry> {
  const shown = new Map<string, ManifestEntry>();
  for (const entry of entries) shown.set(entry.path, normalized(entry));
  for (const entry of tablespaces) {
    // The tablespace itself is there as a link.
    if (!entry.path.includes("/")) continue;
    const path = `pg_tblspc/${entry.path}`;
    shown.set(path, { ...entry, path });
  }
  return shown;
}

/** What a directory has that only those find who know its name. */
async function walkHidden(place: MountPlace, name: string): Promise<ManifestEntry[]> {
  const path = `${place.root}/.pbkfs/${name}`;
  try {
    Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return await walkInChild(path);
}

/** External directories: the manifest calls them by their last name, the mount by their number. */
function assertExternal(
  mounted: readonly ManifestEntry[],
  expected: readonly ManifestEntry[],
): void {
  const names = [...new Set(expected.map(({ path }) => path.split("/")[0]!))].sort();
  const shown = mounted.flatMap((entry) => {
    const match = /^(\d+)(\/.+)$/.exec(entry.path);
    if (match === null) return [];
    return [{ ...entry, path: `${names[Number(match[1]) - 1]}${match[2]}` }];
  });
  const order = (a: ManifestEntry, b: ManifestEntry) => a.path < b.path ? -1 : 1;
  const wanted = expected.filter(({ path }) => path.includes("/"));
  assert.deepEqual(shown.sort(order), [...wanted].sort(order));
}

/** What a mount becomes that nothing was written to is what a restore makes. */
async function assertPromoted(
  place: MountPlace,
  fixture: PgProbackupFixture,
  manifest: readonly ManifestEntry[],
): Promise<void> {
  const target = `${place.diff}-promoted`;
  const backupId = fixtureBackupIds(fixture).at(-1)!;
  const placed = await placedTablespaces(fixture.catalog, backupId, target);
  const options = placed.flatMap((each) => each.options);
  await runPbkfs(["promote", "-D", place.root, target, "--finish", ...options]);
  const tablespaces = placed.flatMap(({ oid, path }) => {
    assert.equal(Deno.readLinkSync(`${target}/pg_tblspc/${oid}`), path);
    return [...walkManifest(path)].map((entry) => ({ ...entry, path: `${oid}/${entry.path}` }));
  });
  assertSameTree(mountedTree([...walkManifest(target)], tablespaces), expectedTree(manifest));
  assert.equal(Deno.statSync(target).mode! & 0o7777, 0o700);
  assert.throws(() => Deno.statSync(place.diff), Deno.errors.NotFound);
}

// Catalogs for benchmarks come without expected results.
for (const name of pgprobackupFixtureNames().filter((each) => !each.startsWith("bench-"))) {
  Deno.test(`mount shows every backup of ${name} as a restore makes it`, async (test) => {
    const fixture = await pgprobackupFixture(name);
    assert.ok(fixture);
    const before = await storeState(fixture.catalog);
    for (const backupId of fixtureBackupIds(fixture)) {
      const manifest = readManifest(`${fixture.expected}/manifest-${backupId}.jsonl`);
      await test.step(backupId, async () => {
        await using place = new MountPlace("manifest");
        await place.mount({ store: fixture.catalog, instance: "main", backupId });
        const mounted = await walkInChild(place.root);
        const tablespaces = await walkHidden(place, "tblspc");
        assertSameTree(mountedTree(mounted, tablespaces), expectedTree(manifest));
        const target = mounted.filter(({ path }) => /^pg_tblspc\/\d+$/.test(path));
        for (const { path, target: link } of target) {
          assert.equal(link, `${place.root}/.pbkfs/tblspc/${path.split("/")[1]}`);
        }
        if (name === EXTERNAL_FIXTURE) {
          const external = `${fixture.expected}/manifest-external-${backupId}.jsonl`;
          assertExternal(await walkHidden(place, "external"), readManifest(external));
        }
        if (PROMOTED.has(name) && backupId === fixtureBackupIds(fixture).at(-1)) {
          await assertPromoted(place, fixture, manifest);
        } else await place.unmount();
      });
    }
    assert.equal(await storeState(fixture.catalog), before, "the store is unchanged");
  });
}
