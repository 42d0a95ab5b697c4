/**
 * How commands mount what they call by snapshot and archive: as the source of that name.
 *
 * @module
 */

import { formatRepository } from "#src/pbs/client/repository.ts";
import { formatGroup, formatSnapshot, namespaceNames } from "#src/pbs/format/snapshot_path.ts";
import { LATEST } from "#src/sources/choice.ts";
import type { RecognisedName } from "#src/sources/recognise.ts";
import type { CommandContext } from "../command.ts";
import type { SnapshotOptions } from "../datastore/snapshot_access.ts";
import { namespaceOf, parseTarget } from "../datastore/store.ts";
import { repositoryOf } from "../options/repository.ts";
import { parseTreeMount, type TreeMountOptions } from "../options/tree_mount_options.ts";
import { type MountOutcome, runMountPlan } from "./mount_run.ts";
import { planNamedMount } from "./named_mount.ts";

/** What is mounted where. */
export interface MountPlace {
  readonly snapshot: string;
  readonly archive: string;
  readonly target: string;
}

/**
 * Mounts, and returns when the mount answers; in the foreground when it has ended. @throws what the
 * serving process failed with
 */
export async function mountSnapshot(
  place: MountPlace,
  options: SnapshotOptions & TreeMountOptions,
  context: CommandContext,
): Promise<MountOutcome> {
  const name = sourceName(place, options, context);
  const request = parseTreeMount(place.target, options, context);
  const { serverStore } = options;
  const showing = { lockCatalog: true, relativeTablespaces: false, serverStore };
  const plan = await planNamedMount(name, request, options, context, showing);
  return await runMountPlan(plan, options, context);
}

/** Of a group it is the last snapshot. @throws {UsageError} */
function sourceName(
  { snapshot, archive }: MountPlace,
  options: SnapshotOptions,
  context: CommandContext,
): RecognisedName {
  const repository = repositoryOf(options, context);
  const target = parseTarget(snapshot, namespaceOf(options, context));
  const { ns } = target.kind === "group" ? target.group : target.snapshot.group;
  const path = target.kind === "group"
    ? `${formatGroup(target.group)}/${LATEST}`
    : formatSnapshot(target.snapshot);
  return {
    kind: "pbs",
    place: repository.kind === "directory" ? repository.path : formatRepository(repository),
    item: [...namespaceNames(ns), path, archive].join("/"),
  };
}
