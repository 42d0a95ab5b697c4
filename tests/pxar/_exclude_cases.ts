/**
 * The exclude cases that the reference tool was run on. Skipped where the shared fixtures are not
 * there.
 *
 * @module
 */

/** Content of a file, null for a directory, or a symbolic link; by path from the root. */
export type CaseTree = Readonly<Record<string, string | null | { symlink: string }>>;

/** One case. */
export interface ExcludeCase {
  readonly name: string;
  readonly tree: CaseTree;
  /** Patterns of the command line. */
  readonly exclude: readonly string[];
  readonly exit_code: number;
  /** Listing of the archive made by the tool 3.2.4. */
  readonly paths?: readonly string[];
  /** Listing where 4.x differs. */
  readonly paths_4x?: readonly string[];
  readonly pxarexclude_cli?: { readonly content: string };
}

const FIXTURE = new URL("../../../shared/fixtures/pxar/exclude-cases.json", import.meta.url);
const COPY = new URL("../fixtures/pxar/exclude-cases.json", import.meta.url);

function readFixture(): string {
  try {
    return Deno.readTextFileSync(COPY);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return Deno.readTextFileSync(FIXTURE);
  }
}

/** All cases. */
export function excludeCases(): readonly ExcludeCase[] {
  return JSON.parse(readFixture()).cases;
}
