/**
 * An archive in one or two files as a source.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import type { OpenSource } from "#src/io/byte_source.ts";
import { openNativeSource } from "#src/io/files/native_source.ts";
import { openGated } from "#src/io/wait_gate.ts";
import { openPxarTree } from "#src/pxar/pxar_tree.ts";
import type { MountableTree } from "#src/tree/node.ts";
import { formatSourceName } from "../name.ts";
import { factsOf } from "../postgres_facts.ts";
import {
  type OpenSourceOptions,
  type Source,
  type SourceDescription,
  type SourceThread,
  summaryOf,
} from "../source.ts";
import {
  existingPayloadPath,
  openSourcePair,
  openStreamsByName,
  realPath,
} from "./archive_files.ts";
import { fileInput } from "./archive_input.ts";
import { type ArchiveSurvey, NO_SURVEY, surveyArchive } from "./archive_survey.ts";
import { identifyFiles } from "./file_marks.ts";

/** See {@link SourceDescription}. All paths are absolute. */
export interface PxarDescription extends SourceDescription, ArchiveSurvey {
  readonly kind: "pxar";
  readonly path: string;
  readonly payloadPath: string | undefined;
}

/** The files of an archive, without links. */
export interface ArchivePlace {
  readonly path: string;
  readonly payloadPath: string | undefined;
}

/**
 * Where the archive at `path` lies.
 *
 * @param askedPayloadPath of the payload stream, where it is not found by name
 */
export function locateArchive(path: string, askedPayloadPath: string | undefined): ArchivePlace {
  const payloadPath = existingPayloadPath(path, askedPayloadPath);
  return {
    path: realPath(path),
    payloadPath: payloadPath === undefined ? undefined : realPath(payloadPath),
  };
}

/**
 * Opens the archive to see that this works, and reads what its tables do not tell.
 *
 * @throws {FormatError | OsError}
 */
export function openPxarSource(
  { path, payloadPath }: ArchivePlace,
  { countsLinks = true }: Pick<OpenSourceOptions, "countsLinks"> = {},
): Source {
  const files = payloadPath === undefined ? [path] : [path, payloadPath];
  openFiles({ path, payloadPath }, openNativeSource).close();
  // Only what is not found by name is said.
  const isBeside = payloadPath === locateArchive(path, undefined).payloadPath;
  const item = isBeside ? undefined : payloadPath;
  const name = formatSourceName({ kind: "pxar", place: path, item });
  const description: PxarDescription = {
    kind: "pxar",
    name,
    label: path,
    content: "tree",
    sizeBytes: files.reduce((sum, each) => sum + sizeOf(each), 0),
    path,
    payloadPath,
    ...(countsLinks ? surveyFiles({ path, payloadPath }) : NO_SURVEY),
  };
  const openTree = () => openFiles(description, openNativeSource);
  return {
    description,
    // Read when somebody asks: a mount does not.
    get summary() {
      return summaryOf(description, factsOf(openTree));
    },
    identify: () => identifyFiles("pxar", name, files),
    openTree,
    archive: fileInput(path, payloadPath),
    [Symbol.dispose]() {},
  };
}

function surveyFiles({ path, payloadPath }: ArchivePlace): ArchiveSurvey {
  using streams = openStreamsByName(path, payloadPath);
  return surveyArchive(streams);
}

/** Opens the archive in a thread. @throws {FormatError | OsError} */
export function attachPxar(description: PxarDescription, { gate }: SourceThread): MountableTree {
  return openFiles(description, openGated(openNativeSource, gate));
}

function openFiles(
  { path, payloadPath, linkCounts }: ArchivePlace & Partial<ArchiveSurvey>,
  openSource: OpenSource,
): MountableTree {
  const { source, payload } = openSourcePair(path, payloadPath, openSource);
  try {
    return openPxarTree(source, {
      name: path,
      allocate: host.allocateNativeBuffer,
      payload,
      linkCounts,
    });
  } catch (error) {
    source.close();
    payload?.close();
    throw error;
  }
}

function sizeOf(path: string): number {
  const stat = new host.HostStat();
  host.unwrap(host.lstat(path, stat), "stat", path);
  return stat.size;
}
