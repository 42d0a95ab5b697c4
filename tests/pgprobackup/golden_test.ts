import { deepEqual, equal, ok } from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { FileNode, Node } from "#src/tree/node.ts";
import type { PgProbackupTree } from "#src/pgprobackup/mod.ts";
import {
  fixtureBackupIds,
  type PgProbackupFixture,
  pgprobackupFixture,
  pgprobackupFixtureNames,
} from "#tests/support/pgprobackup_fixtures.ts";
import {
  type Access,
  BUILT_IN,
  digestOf,
  NATIVE,
  nodeAt,
  openTree,
  pathsBelow,
} from "./_tree_support.ts";

interface ManifestEntry {
  readonly path: string;
  readonly mode: string;
  readonly type: "file" | "dir" | "link";
  readonly size?: number;
  readonly sha256?: string;
  readonly target?: string;
}

function readManifest(path: string): ManifestEntry[] | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  return text.trim().split("\n").map((line) => JSON.parse(line));
}

/** What restore adds or changes, as the README of the fixtures says. */
function isMadeByRestore(entry: ManifestEntry): boolean {
  return entry.path === "recovery.signal";
}

function describe(node: Node, buffer: ReturnType<Access["codecs"]["allocate"]>): ManifestEntry {
  const mode = (node.attributes.mode & 0o7777).toString(8);
  if (node.kind === "directory") return { path: "", mode, type: "dir" };
  if (node.kind === "symlink") return { path: "", mode, type: "link", target: node.target };
  const file = node as FileNode;
  const { size, sha256 } = digestOf(file, buffer);
  equal(size, file.attributes.size, "the size told is the size read");
  return { path: "", mode, type: "file", size, sha256 };
}

function compare(
  tree: PgProbackupTree,
  prefix: string,
  manifest: readonly ManifestEntry[],
  fixture: PgProbackupFixture,
  backupId: string,
  access: Access,
): void {
  const buffer = access.codecs.allocate(1 << 17);
  for (const expected of manifest) {
    if (isMadeByRestore(expected)) continue;
    const place = `${fixture.name} ${backupId} ${expected.path}`;
    const node = nodeAt(tree, prefix + expected.path);
    ok(node !== undefined, `${place} is missing`);
    const actual = { ...describe(node, buffer), path: expected.path };
    if (expected.path === "postgresql.auto.conf") {
      const stored = Deno.readFileSync(storedAutoConf(fixture, backupId));
      const sha256 = createHash("sha256").update(stored).digest("hex");
      deepEqual(actual, { ...expected, size: stored.length, sha256 }, place);
    } else if (expected.path === "global/pg_control") {
      deepEqual(actual, { ...expected, mode: "600" }, place);
    } else if (expected.type === "link") {
      const oid = expected.path.slice("pg_tblspc/".length);
      deepEqual(actual, { ...expected, target: `../.pbkfs/tblspc/${oid}` }, place);
      equal(node.attributes.size, actual.target!.length, place);
    } else {
      deepEqual(actual, expected, place);
    }
  }
}

/** The newest stored copy at or before a backup; ids of one length sort by time. */
function storedAutoConf(fixture: PgProbackupFixture, backupId: string): string {
  const candidates = fixtureBackupIds(fixture)
    .filter((id) => id <= backupId)
    .map((id) => join(fixture.catalog, `backups/main/${id}/database/postgresql.auto.conf`))
    .filter((path) => {
      try {
        return Deno.statSync(path).isFile;
      } catch {
        return false;
      }
    });
  return candidates.at(-1)!;
}

async function compareBackup(name: string, backupId: string, access: Access): Promise<void> {
  const fixture = (await pgprobackupFixture(name))!;
  const manifest = readManifest(join(fixture.expected, `manifest-${backupId}.jsonl`));
  if (manifest === undefined) return;
  const tree = openTree(fixture.catalog, backupId, { access });
  compare(tree, "", manifest, fixture, backupId, access);
  const external = readManifest(join(fixture.expected, `manifest-external-${backupId}.jsonl`));
  if (external !== undefined) {
    const renamed = external.map((entry) => ({
      ...entry,
      path: entry.path.replace(/^etc/, "1").replace(/^second/, "2"),
    }));
    compare(tree, ".pbkfs/external/", renamed, fixture, backupId, access);
  }
  const expectedPaths = new Set(manifest.map((entry) => entry.path));
  for (const [path] of pathsBelow(tree.root)) {
    if (path === ".pbkfs" || path.startsWith(".pbkfs/external")) continue;
    const restored = path === ".pbkfs/tblspc"
      ? "pg_tblspc"
      : path.replace(/^\.pbkfs\/tblspc\//, "pg_tblspc/");
    ok(expectedPaths.has(restored), `${name} ${backupId} ${path} is too many`);
  }
  tree.close();
}

for (const name of pgprobackupFixtureNames()) {
  Deno.test(`PgProbackupTree shows every file of every backup as restored: ${name}`, async (t) => {
    const fixture = (await pgprobackupFixture(name))!;
    for (const backupId of fixtureBackupIds(fixture)) {
      await t.step(backupId, () => compareBackup(name, backupId, NATIVE));
    }
  });
}

// One uncompressed, one mixed chain; the other decoders have tests of their own.
for (const name of pgprobackupFixtureNames().filter((name) => /^[acf]-/.test(name))) {
  Deno.test(`PgProbackupTree reads the same without FFI: ${name}`, async () => {
    const fixture = (await pgprobackupFixture(name))!;
    await compareBackup(name, fixtureBackupIds(fixture).at(-1)!, BUILT_IN);
  });
}
