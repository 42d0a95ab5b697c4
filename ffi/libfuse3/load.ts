/**
 * Finds and loads libfuse3.
 *
 * @module
 */

import { Errno, OsError } from "../os_error.ts";
import { type Libfuse3Symbols, SYMBOLS } from "./symbols.ts";
import { type LibfuseVersion, parsePackageVersion } from "./version.ts";

/** The loaded library. */
export interface Libfuse3 {
  readonly symbols: Libfuse3Symbols;
  readonly version: LibfuseVersion;
  /** The name under which the loader found it. */
  readonly path: string;
}

/** Environment variable that names another library file. */
export const LIBFUSE_VARIABLE = "PBKFS_LIBFUSE";

/** SONAME 4 is libfuse 3.17 and later, SONAME 3 everything before. */
const SONAMES = ["libfuse3.so.4", "libfuse3.so.3"];

/** For systems whose loader does not look there. */
const DIRECTORIES = [
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/lib64",
  "/usr/lib64",
  "/usr/lib",
  "/usr/local/lib",
];

/** The names that are tried, in order. With `override` it is the only one. */
export function libraryCandidates(override: string | undefined): string[] {
  if (override !== undefined && override !== "") return [override];
  return [
    ...SONAMES,
    ...DIRECTORIES.flatMap((directory) => SONAMES.map((name) => `${directory}/${name}`)),
  ];
}

let loaded: Libfuse3 | undefined;

/**
 * Loads libfuse3 once; later calls return the same.
 *
 * @param override library file to use instead of the installed one
 * @throws {OsError} with a hint which package to install, when there is none
 */
export function loadLibfuse3(override?: string): Libfuse3 {
  return loaded ??= tryCandidates(libraryCandidates(override));
}

function tryCandidates(candidates: readonly string[]): Libfuse3 {
  let failure: unknown;
  for (const path of candidates) {
    try {
      return open(path);
    } catch (error) {
      // A missing permission is the caller's matter, not a missing library.
      if (error instanceof Deno.errors.NotCapable) throw error;
      failure ??= error;
    }
  }
  throw new OsError(Errno.ENOENT, "load library", candidates[0]!, {
    hint: "Install libfuse3 (Debian, Ubuntu: apt install fuse3; RHEL, Fedora: dnf install fuse3)",
    cause: failure,
  });
}

function open(path: string): Libfuse3 {
  const { symbols } = Deno.dlopen(path, SYMBOLS);
  const text = symbols.fuse_pkgversion();
  const version = text === null
    ? versionFromNumber(symbols.fuse_version())
    : parsePackageVersion(Deno.UnsafePointerView.getCString(text));
  return { symbols, version, path };
}

function versionFromNumber(number: number): LibfuseVersion {
  return { major: Math.floor(number / 100), minor: number % 100, hotfix: 0 };
}
