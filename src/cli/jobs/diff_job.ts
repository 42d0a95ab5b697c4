/**
 * The comparison of two trees.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { EXCLUDE_OPTIONS_NAME } from "#src/pxar/builder/children.ts";
import { diffTrees } from "#src/transfer/diff.ts";
import { METADATA_FIELDS, type MetadataField } from "#src/tree/metadata.ts";
import { type EntryFormat, ExitCode } from "../exit_code.ts";
import { OutputClosed, type Terminal } from "../terminal/terminal.ts";
import { DamageOutput } from "../output/damage_output.ts";
import type { ComparisonOptions } from "../options/diff_options.ts";
import { DifferenceOutput } from "../output/difference_output.ts";
import type { TreeInput } from "#src/usecases/archive/trees.ts";

/** Exit code when something could not be compared, as of diff(1): 1 says that something differs. */
const NOT_COMPARED = 2;
/** What archives hold and directories do not. */
const FORMAT_NAMES: ReadonlySet<string> = new Set([EXCLUDE_OPTIONS_NAME]);

/**
 * Prints what differs between two trees, which are opened here.
 *
 * @returns the exit code
 * @throws {UsageError} for fields that nothing has
 */
export function printDifferences(
  leftInput: TreeInput,
  rightInput: TreeInput,
  options: ComparisonOptions & { readonly format: EntryFormat },
  terminal: Terminal,
): number {
  const ignoredFields = parseFields(options.ignore ?? []);
  using left = leftInput.openTree();
  using right = rightInput.openTree();
  using output = new DifferenceOutput(terminal, options.format);
  const damages = new DamageOutput(terminal, options.format);
  const differences = diffTrees(left.tree, right.tree, {
    compareContents: options.contents,
    ignoredFields,
    ignoredRootNames: FORMAT_NAMES,
    onDamage: (path, damage) => damages.print(path, damage),
  });
  try {
    for (const difference of differences) output.print(difference);
  } catch (error) {
    // That something differs is known all the same.
    if (!(error instanceof OutputClosed)) throw error;
  }
  if (damages.count > 0) return NOT_COMPARED;
  return output.count === 0 ? ExitCode.SUCCESS : ExitCode.FAILURE;
}

function parseFields(values: readonly string[]): ReadonlySet<MetadataField> {
  return new Set(
    values.flatMap((value) => value.split(",")).map((name) => {
      const field = METADATA_FIELDS.find((candidate) => candidate === name);
      if (field !== undefined) return field;
      throw new UsageError(
        `Cannot use "${name}" for --ignore: allowed choices are ${METADATA_FIELDS.join(", ")}`,
        { option: "--ignore" },
      );
    }),
  );
}
