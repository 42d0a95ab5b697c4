/**
 * A diff directory for a mount: read-only, or with another diff over it, which is then a branch.
 *
 * @module
 */

import { parentKeys, recordBranch } from "#src/overlay/branches.ts";
import type { DiffDirectory } from "#src/overlay/diff_directory.ts";
import { realPathOfMissing } from "#src/overlay/diff_place.ts";
import {
  type DiffSource,
  isDiff,
  LEVELS_MAX,
  openDiffSource,
  tooManyLevels,
} from "#src/sources/diff/diff_source.ts";
import type { PgproDescription } from "#src/sources/pgpro/pgpro_source.ts";
import { openSource } from "#src/sources/registry.ts";
import type { Credentials, SourceDescription } from "#src/sources/source.ts";
import { spawnThread } from "../threads.ts";
import type { OpenedSource, SourceToMount } from "./source_to_mount.ts";

/** A diff to be mounted, as asked for. */
export interface BranchRequest {
  /** Of the diff directory that is shown, and that stays as it is. */
  readonly parentPath: string;
  /** Hold pg_probackup's read lock, where that is what lies at the bottom. */
  readonly lockCatalog: boolean;
  /** Links to tablespaces do not name the mount point. */
  readonly relativeTablespaces: boolean;
}

/** A diff directory as what a mount shows. @param credentials for what it was made over */
export function branchToMount(
  { parentPath, lockCatalog, relativeTablespaces }: BranchRequest,
  credentials: Credentials,
): SourceToMount {
  return {
    places: () => [{ what: "diff directory below", path: realPathOfMissing(parentPath) }],

    async open({ mountPath, diff, threadCount }): Promise<OpenedSource> {
      const source = await openDiffSource({
        path: parentPath,
        lockCatalog,
        mountPath: relativeTablespaces ? undefined : mountPath,
        options: { credentials, threadCount, spawn: spawnThread },
        openSource,
      });
      const { path, bindingId, description, hasExtendedAttributes } = source;
      if (diff !== undefined && description.levels >= LEVELS_MAX) {
        source[Symbol.dispose]();
        throw tooManyLevels(diff.path);
      }
      const keys = parentKeys({ path, bindingId });
      return {
        source,
        bound: async () => ({ ...await source.identify(), keys }),
        onBound: (branch) => noteBranch(source, branch),
        extendedAttributes: hasExtendedAttributes,
        pageCounters: pageCountersOf(description),
      };
    },
  };
}

function noteBranch(
  { path }: DiffSource,
  { path: branchPath, id: bindingId }: DiffDirectory,
): void {
  recordBranch(path, { path: branchPath, bindingId });
}

function pageCountersOf(description: SourceDescription): SharedArrayBuffer | undefined {
  let bottom = description;
  while (isDiff(bottom)) bottom = bottom.base;
  return bottom.kind === "pgpro" ? (bottom as PgproDescription).pageCounters : undefined;
}
