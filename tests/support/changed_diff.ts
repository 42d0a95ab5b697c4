/**
 * Diff directories, changed as by a mount that ended cleanly, without the kernel.
 *
 * @module
 */

import { openDiffDirectory } from "#src/overlay/diff_directory.ts";
import { parentKeys, recordBranch } from "#src/overlay/branches.ts";
import type { BoundSource } from "#src/overlay/binding.ts";
import { formatSourceName, openSource, type Source } from "#src/sources/mod.ts";
import type { DiffSource } from "#src/sources/diff/diff_source.ts";
import type { PgproSource } from "#src/sources/pgpro/pgpro_source.ts";
import { backupSource } from "#src/sources/pgpro/record_keys.ts";
import { OverlayHarness } from "#tests/overlay/harness.ts";

/**
 * Makes a diff directory over a source, unless it is there, and changes it.
 *
 * @param place of the source, and what of it, where it has more than one
 * @param change does what programs would do to a mount
 */
export async function changeDiff(
  diffPath: string,
  { place, item }: { readonly place: string; readonly item?: string },
  change: (harness: OverlayHarness) => void,
): Promise<void> {
  using source = await openSource(formatSourceName({ kind: undefined, place, item }));
  const diff = openDiffDirectory(diffPath, {
    sourcePlaces: [],
    mountPath: "/nowhere",
    force: false,
  });
  diff.bind({
    source: await boundOf(source, place),
    extendedAttributes: false,
    programVersion: "test",
  });
  if (source.description.kind === "diff") {
    recordBranch((source as DiffSource).path, { path: diff.path, bindingId: diff.id });
  }
  const tree = source.openTree();
  const harness = new OverlayHarness(tree, diff.path, { nonce: diff.nonce });
  change(harness);
  harness.unmount();
  tree.close();
  diff.release();
}

async function boundOf(source: Source, storePath: string): Promise<BoundSource> {
  if (source.description.kind === "diff") {
    return { ...await source.identify(), keys: parentKeys(source as DiffSource) };
  }
  if (source.description.kind !== "pgpro") return await source.identify();
  const { identity, instance } = source as PgproSource;
  return backupSource({ identity, instance, storePath, mountPath: "/nowhere", former: undefined });
}
