/**
 * The golden catalogs, unpacked. Those of the shared material are used where it is there, else the
 * two that are committed.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));

/** Directories with `NAME.tar.zst`, the most complete one first. */
const ARCHIVE_DIRECTORIES = [
  join(CHECKOUT, "../shared/fixtures/pg_probackup"),
  join(CHECKOUT, "tests/fixtures/pg_probackup"),
];

const SUFFIX = ".tar.zst";

/** One golden catalog on disk. Read-only by convention: copy what is to be changed. */
export interface PgProbackupFixture {
  /** `a-stream-none`. */
  readonly name: string;
  /** The `-B` directory. */
  readonly catalog: string;
  /** Manifests and query results; not there for the benchmark catalog. */
  readonly expected: string;
}

/** Names of the fixtures that can be had, sorted. */
export function pgprobackupFixtureNames(): string[] {
  const names = new Set<string>();
  for (const directory of ARCHIVE_DIRECTORIES) {
    if (!isPresent(directory)) continue;
    for (const entry of Deno.readDirSync(directory)) {
      if (entry.name.endsWith(SUFFIX)) names.add(entry.name.slice(0, -SUFFIX.length));
    }
  }
  return [...names].sort();
}

/**
 * Unpacks a fixture into a cache below the system's directory for temporary files, once for each
 * state of the archive. Needs `--allow-run=tar`.
 *
 * @returns undefined when there is no such fixture
 */
export async function pgprobackupFixture(name: string): Promise<PgProbackupFixture | undefined> {
  const archive = ARCHIVE_DIRECTORIES
    .map((directory) => join(directory, name + SUFFIX))
    .find(isPresent);
  if (archive === undefined) return undefined;
  const { size, mtime } = Deno.statSync(archive);
  const cache = join(Deno.env.get("TMPDIR") ?? "/tmp", "pbkfs-fixtures");
  const directory = join(cache, `${name}-${size}-${mtime?.getTime() ?? 0}`);
  if (!isPresent(directory)) await unpack(archive, cache, directory);
  return { name, catalog: join(directory, "catalog"), expected: join(directory, "expected") };
}

/** Ids of the backups in a catalog with one instance `main`, oldest first. */
export function fixtureBackupIds(fixture: PgProbackupFixture): string[] {
  return [...Deno.readDirSync(join(fixture.catalog, "backups/main"))]
    .filter((entry) => entry.isDirectory)
    .map((entry) => entry.name)
    .sort();
}

/** Copies a catalog, without the locks of mounts that other tests may have of it. */
export function copyCatalog(from: string, to: string): void {
  Deno.mkdirSync(to);
  for (const entry of Deno.readDirSync(from)) {
    if (/^backup(_ro)?\.pid/.test(entry.name)) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory) copyCatalog(source, target);
    else Deno.copyFileSync(source, target);
  }
}

async function unpack(archive: string, cache: string, directory: string): Promise<void> {
  Deno.mkdirSync(cache, { recursive: true });
  const partial = Deno.makeTempDirSync({ dir: cache, prefix: "unpacking-" });
  const { success } = await new Deno.Command("tar", {
    args: ["--zstd", "-C", partial, "-xf", archive],
    stdout: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`Cannot unpack "${archive}"`);
  try {
    Deno.renameSync(partial, directory);
  } catch (error) {
    // Another test process was faster.
    if (!isPresent(directory)) throw error;
    Deno.removeSync(partial, { recursive: true });
  }
}

function isPresent(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
