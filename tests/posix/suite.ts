/**
 * What any writable file system must do: the list of cases that runs on a plain directory and on
 * every writable mount alike.
 *
 * @module
 */

import { attributeCases } from "#tests/posix/attribute_cases.ts";
import { directoryCases } from "#tests/posix/directory_cases.ts";
import { linkCases } from "#tests/posix/link_cases.ts";
import { namesCases } from "#tests/posix/names_cases.ts";
import type { PosixSuite } from "#tests/posix/posix_case.ts";
import { processCases } from "#tests/posix/process_cases.ts";
import { renameCases } from "#tests/posix/rename_cases.ts";
import { sizeCases } from "#tests/posix/size_cases.ts";
import { unlinkCases } from "#tests/posix/unlink_cases.ts";
import { writeCases } from "#tests/posix/write_cases.ts";
import { xattrCases } from "#tests/posix/xattr_cases.ts";

/**
 * Every case, by name. Each wants a fresh, empty directory, and must not run in the serving
 * process.
 */
export const posixSuite: PosixSuite = new Map([
  ...namesCases,
  ...renameCases,
  ...unlinkCases,
  ...sizeCases,
  ...writeCases,
  ...directoryCases,
  ...linkCases,
  ...attributeCases,
  ...xattrCases,
  ...processCases,
]);
