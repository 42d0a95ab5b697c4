/**
 * What `pbkfs mount` mounts: a source by its name, by that in the record of a diff directory, or a
 * backup by its catalog, instance and id.
 *
 * @module
 */

import type { MountRequest } from "#src/usecases/mounting/mount_request.ts";
import type { SourceShowing } from "#src/usecases/mounting/named_source.ts";
import type { RecognisedName } from "#src/sources/recognise.ts";
import type { CommandContext } from "../command.ts";
import type { MountCommandOptions, NamedMountRequest } from "../options/mount_options.ts";
import type { CommandCredentials } from "../sources/credentials.ts";
import type { SourceOptions } from "../sources/source_options.ts";
import { isOnServer } from "../sources/source_uses.ts";
import { type MountPlan, servesItself, type ServingPlace } from "./mount_run.ts";

/**
 * What is to be done. Secrets that the source needs are asked for here, and handed to the process
 * that serves.
 *
 * @throws {UsageError} when the name cannot be read, or nothing like a source lies there
 * @throws {Failure} what opening it throws, where it needs secrets
 */
export async function planMount(
  request: NamedMountRequest,
  options: MountCommandOptions,
  context: CommandContext,
): Promise<MountPlan<NamedMountRequest>> {
  const name = await nameOf(request, options);
  if (name === undefined) return { request, sourceOf: backupOf };
  return await planNamedMount(
    name,
    withAttributes(request, name),
    options,
    context,
    request.backup,
  );
}

/** As {@link planMount}, of a source that was recognised. @param showing default: locked */
export async function planNamedMount<Request extends MountRequest>(
  name: RecognisedName,
  request: Request,
  options: SourceOptions & ServingPlace,
  context: CommandContext,
  showing: SourceShowing = { lockCatalog: true, relativeTablespaces: false },
): Promise<MountPlan<Request>> {
  const hasSecrets = await mayHaveSecrets(name);
  const isWorker = options.handshake === true;
  const known = isWorker && hasSecrets ? await readHanded() : undefined;
  const { commandCredentials } = await import("../sources/credentials.ts");
  const credentials = commandCredentials(options, context, known);
  const { formatSourceName } = await import("#src/sources/name.ts");
  const text = formatSourceName(name);
  const onWarning = (message: string) => context.terminal.err(`WARNING: ${message}\n`);
  // A worker has nobody to tell.
  const shown = isWorker ? showing : { ...showing, onWarning };
  const asksBefore = hasSecrets && !servesItself(options);
  return {
    request,
    async sourceOf({ writable }) {
      const { namedSourceToMount } = await import("#src/usecases/mounting/named_source.ts");
      return namedSourceToMount(name, writable, credentials, shown);
    },
    launch: {
      input: asksBefore ? await secretsOf(text, credentials, shown) : undefined,
      usesNetwork: await isOnServer(text),
    },
  };
}

async function nameOf(
  { source, writable }: NamedMountRequest,
  { instance, backupId, pbkStore, backupPath }: MountCommandOptions,
): Promise<RecognisedName | undefined> {
  const { nameBelow, nameToMount } = await import("#src/usecases/mounting/named_source.ts");
  if (source !== undefined) return nameToMount(source);
  const isAsked = [instance, backupId, pbkStore, backupPath].some((value) => value !== undefined);
  return isAsked || writable === undefined ? undefined : nameBelow(writable.diffPath);
}

/** Whether it is in a datastore, or a diff directory over what is. */
async function mayHaveSecrets({ kind, place }: RecognisedName): Promise<boolean> {
  if (kind !== "diff") return kind === "pbs";
  const { nameOfBottom } = await import("#src/sources/diff/named_diff.ts");
  return nameOfBottom(place)?.startsWith("pbs:") ?? false;
}

async function backupOf({ backup, writable }: NamedMountRequest) {
  const { backupToMount } = await import("#src/usecases/mounting/backup_to_mount.ts");
  return backupToMount(backup, writable);
}

/**
 * Files of all but data directories have attributes that somebody may want; a branch has what its
 * parent has.
 */
function withAttributes(request: NamedMountRequest, { kind }: RecognisedName): NamedMountRequest {
  const { writable } = request;
  if (writable === undefined || kind === "pgpro" || kind === "diff") return request;
  return { ...request, writable: { ...writable, extendedAttributes: true } };
}

/** Opens the source once, to see what that takes. */
async function secretsOf(
  name: string,
  credentials: CommandCredentials,
  { serverStore, onWarning }: SourceShowing,
): Promise<Uint8Array> {
  const { openSource } = await import("#src/sources/registry.ts");
  const { formatSecrets } = await import("./launcher_secrets.ts");
  using _source = await openSource(name, {
    credentials,
    serverStore,
    onWarning,
    countsLinks: false,
  });
  return formatSecrets(credentials.secrets());
}

async function readHanded() {
  const { readSecretsOfLauncher } = await import("./launcher_secrets.ts");
  return readSecretsOfLauncher();
}
