/**
 * Random access to the archives of a snapshot.
 *
 * @module
 */

import { StateError, UsageError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { type ArchiveFiles, defaultFileName, findArchive } from "#src/pbs/format/archive_name.ts";
import { CLIENT_LOG_NAME, MANIFEST_NAME, type ManifestFile } from "#src/pbs/format/manifest.ts";
import { PxarAccessor } from "#src/pxar/accessor.ts";

/** What archives are opened of: a snapshot, as far as that takes. */
export interface ArchiveHolder {
  /** What the snapshot has: an archive is found by the names of its files. */
  readonly manifest: { readonly files: readonly Pick<ManifestFile, "filename">[] };
  /** The stream of an index of that name, for random access. The caller closes it. */
  openArchive(name: string): ByteSource;
}

/** The files of an archive of a directory. */
export type DirectoryArchiveFiles = Extract<ArchiveFiles, { kind: "pxar" | "split-pxar" }>;

/** The open streams of a directory's archive. */
export interface ArchiveStreams extends Disposable {
  /** The archive, or its metadata stream. */
  readonly source: ByteSource;
  /** The payload stream of a split archive; undefined where one stream has all. */
  readonly payload: ByteSource | undefined;
}

/** An open archive of a directory. */
export interface OpenArchive extends ArchiveStreams {
  /** Finds and reads entries by path; good as long as the streams are open. */
  readonly accessor: PxarAccessor;
}

/**
 * The files of the archive, image or blob `name`. `index.json` and `client.log` are found without
 * being listed; the latter need not be there.
 *
 * @throws {StateError} `not-found`
 */
export function requireFiles(snapshot: ArchiveHolder, name: string): ArchiveFiles {
  const found = findArchive(snapshot.manifest.files, name);
  if (found !== undefined) return found;
  const file = defaultFileName(name);
  if (file === MANIFEST_NAME || file === CLIENT_LOG_NAME) return { kind: "blob", file };
  const names = snapshot.manifest.files.map(({ filename }) => filename).join(", ");
  throw new StateError("not-found", `The snapshot's manifest does not contain file "${file}"`, {
    hint: `It has ${names === "" ? "none" : names}`,
  });
}

/**
 * The files of the archive `name` of a directory.
 *
 * @throws {StateError} `not-found`
 * @throws {UsageError} when it is no archive of a directory
 */
export function requireDirectoryFiles(
  snapshot: ArchiveHolder,
  name: string,
): DirectoryArchiveFiles {
  const found = requireFiles(snapshot, name);
  if (found.kind === "pxar" || found.kind === "split-pxar") return found;
  throw notOfKind(name, "an archive of a directory");
}

/**
 * Opens the streams of the archive `name` of a directory. @throws what
 * {@link requireDirectoryFiles} throws
 */
export function openArchiveStreams(snapshot: ArchiveHolder, name: string): ArchiveStreams {
  const found = requireDirectoryFiles(snapshot, name);
  if (found.kind === "pxar") {
    const source = snapshot.openArchive(found.index);
    return { source, payload: undefined, [Symbol.dispose]: () => source.close() };
  }
  using opened = new DisposableStack();
  const open = (file: string) => opened.adopt(snapshot.openArchive(file), (it) => it.close());
  const source = open(found.metadata);
  const payload = open(found.payload);
  const kept = opened.move();
  return { source, payload, [Symbol.dispose]: () => kept.dispose() };
}

/**
 * Opens the archive `name` of a directory. Nothing but what is asked for is loaded.
 *
 * @throws {StateError} `not-found`
 * @throws {UsageError} when it is no archive of a directory
 * @throws {FormatError} when the archive is damaged
 */
export function openArchive(snapshot: ArchiveHolder, name: string): OpenArchive {
  using opened = new DisposableStack();
  const { source, payload } = opened.use(openArchiveStreams(snapshot, name));
  const accessor = PxarAccessor.open(source, {
    name,
    payload,
  });
  const kept = opened.move();
  return { accessor, source, payload, [Symbol.dispose]: () => kept.dispose() };
}

/**
 * Opens the image `name`.
 *
 * @throws {StateError} `not-found`
 * @throws {UsageError} when it is no image
 */
export function openImage(snapshot: ArchiveHolder, name: string): ByteSource {
  const found = requireFiles(snapshot, name);
  if (found.kind !== "image") throw notOfKind(name, "an image");
  return snapshot.openArchive(found.index);
}

/** The error for an archive that cannot be used so. */
export function notOfKind(name: string, kind: string): UsageError {
  return new UsageError(`Cannot use "${name}": it is not ${kind}`);
}
