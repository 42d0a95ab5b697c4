/**
 * Images that come in order and once, for a store that has to know their sizes first, as a server
 * does: what comes is put aside until its end.
 *
 * @module
 */

import { Spool } from "#src/io/files/spool.ts";
import type { BackupSpec } from "./backup_spec.ts";
import { ImageStream, isImageStream } from "./image_stream.ts";

/** Specs of which each has a size. */
export interface SpooledImages extends Disposable {
  readonly specs: readonly BackupSpec[];
}

/**
 * Reads all streams of a backup to their ends. Disposing of the result frees their space.
 *
 * @param onContent is called with the name and the bytes so far, also while nothing comes; what it
 *   throws ends it
 * @throws {LimitError} when there is no space for one
 * @throws {UsageError} when one is empty
 * @throws {OsError}
 */
export function spoolImages(
  specs: readonly BackupSpec[],
  onContent: (name: string, bytes: number) => void,
): SpooledImages {
  using stack = new DisposableStack();
  const spooled = specs.map((spec) => {
    if (spec.kind !== "image" || !isImageStream(spec.path)) return spec;
    using image = ImageStream.open(spec.path);
    const spool = stack.use(new Spool(`"${spec.name}"`));
    image.writeTo(spool, (position) => onContent(spec.name, position));
    return { ...spec, spool };
  });
  const kept = stack.move();
  return { specs: spooled, [Symbol.dispose]: () => kept.dispose() };
}
