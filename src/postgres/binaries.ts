/**
 * Where the programs of a major version of PostgreSQL are.
 *
 * @module
 */

import { StateError, UsageError } from "#src/errors.ts";

/** The programs of one installation. */
export interface ServerBinaries {
  /** Directory of `postgres`, absolute. */
  readonly directory: string;
  /** As the server prints it: `17.10`, or with a packager's words behind it. */
  readonly version: string;
}

/** Where to look, besides the usual places. */
export interface BinarySearch {
  /** The only directory to look in. */
  readonly directory?: string | undefined;
  /** Directories of programs, as in `PATH`. */
  readonly path?: string | undefined;
}

/**
 * Directories that packages and source installations have programs of a major version in: Debian
 * and Ubuntu; PGDG for Red Hat; SUSE; Red Hat's own, Arch, Alpine; `make install`.
 */
function usualPlaces(major: string): string[] {
  return [
    `/usr/lib/postgresql/${major}/bin`,
    `/usr/pgsql-${major}/bin`,
    `/usr/lib/postgresql${major}/bin`,
    `/usr/libexec/postgresql${major}`,
    `/opt/postgresql/${major}/bin`,
    `/usr/local/pgsql-${major}/bin`,
    `/usr/local/pgsql/bin`,
    `/usr/local/bin`,
    `/usr/bin`,
  ];
}

/**
 * Finds the server of a major version.
 *
 * @param major `17`
 * @throws {UsageError} when the directory that was given has none of this version
 * @throws {StateError} `not-found` when there is none in the usual places
 */
export function findServer(major: string, search: BinarySearch = {}): ServerBinaries {
  const { directory, path = "" } = search;
  if (directory !== undefined) return requireServer(directory, major);
  const onPath = path.split(":").filter((place) => place.startsWith("/"));
  const found: string[] = [];
  for (const place of new Set([...usualPlaces(major), ...onPath])) {
    const version = versionOf(place);
    if (version === undefined) continue;
    if (majorOf(version) === major) return { directory: place, version };
    found.push(`${version} in "${place}"`);
  }
  throw new StateError("not-found", `There is no server of PostgreSQL ${major} here`, {
    hint: `Install the package postgresql-${major}, or name the directory of its programs` +
      (found.length === 0 ? "" : `; found were ${found.join(", ")}`),
    option: "binDirectory",
  });
}

function requireServer(directory: string, major: string): ServerBinaries {
  const version = versionOf(directory);
  if (version !== undefined && majorOf(version) === major) return { directory, version };
  const what = version === undefined
    ? "there is no program postgres that can be run"
    : `it has PostgreSQL ${version}`;
  throw new UsageError(
    `Cannot use the programs in "${directory}" for a data directory of PostgreSQL ${major}: ${what}`,
    { option: "binDirectory" },
  );
}

/** Which client program is wanted. */
export interface ClientSearch {
  /** Directories of programs, as in `PATH`. */
  readonly path: string | undefined;
  /** It must not be older than the server: older ones refuse to dump. Default: any does. */
  readonly isServerVersion?: boolean;
}

/** A client program: that of the server's version, else one in the usual places. */
export function findClient(
  name: string,
  { directory, version }: ServerBinaries,
  { path = "", isServerVersion = false }: ClientSearch,
): string | undefined {
  const major = Number(majorOf(version));
  const others = [major, major + 1, major + 2, major + 3].flatMap((each) => usualPlaces(`${each}`));
  const onPath = path.split(":").filter((place) => place.startsWith("/"));
  return [directory, ...onPath, ...others].map((place) => `${place}/${name}`)
    .find((program) => {
      if (!isServerVersion || !isProgram(program)) return isProgram(program);
      return Number(majorOf(programVersion(program) ?? "0")) >= major;
    });
}

/** Of the server in a directory; undefined where there is none. */
function versionOf(directory: string): string | undefined {
  const program = `${directory}/postgres`;
  return isProgram(program) ? programVersion(program) : undefined;
}

/** `postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)` */
function programVersion(program: string): string | undefined {
  try {
    const { success, stdout } = new Deno.Command(program, {
      args: ["--version"],
      stdin: "null",
      stderr: "null",
    }).outputSync();
    const text = new TextDecoder().decode(stdout);
    return success ? /\)\s+(\d[^\s]*)/u.exec(text)?.[1] : undefined;
  } catch {
    // Of another architecture, or not ours to run.
    return undefined;
  }
}

/** `17.10`, `18beta1`, `9.6.24` */
function majorOf(version: string): string {
  return /^9\.\d+/u.exec(version)?.[0] ?? /^\d+/u.exec(version)?.[0] ?? version;
}

function isProgram(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0) & 0o111) !== 0;
  } catch {
    return false;
  }
}
