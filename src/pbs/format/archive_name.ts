/**
 * Names that people give to the contents of a snapshot, and the files these are in.
 *
 * | name                        | files                                                                     |
 * | --------------------------- | ------------------------------------------------------------------------- |
 * | `root.pxar`                 | `root.pxar.didx`, or `root.mpxar.didx` with `root.ppxar.didx`             |
 * | `disk.img`                  | `disk.img.fidx`                                                           |
 * | `catalog.pcat1`             | `catalog.pcat1.didx`                                                      |
 * | anything else, as `vm.conf` | `vm.conf.blob`                                                            |
 *
 * @module
 */

import { CATALOG_NAME, type ManifestFile } from "./manifest.ts";

/** The file or files of one archive, image or blob. */
export type ArchiveFiles =
  | { readonly kind: "pxar"; readonly index: string }
  /** A split archive: metadata, and the contents of its files. */
  | { readonly kind: "split-pxar"; readonly metadata: string; readonly payload: string }
  | { readonly kind: "image"; readonly index: string }
  | { readonly kind: "catalog"; readonly index: string }
  | { readonly kind: "blob"; readonly file: string };

/**
 * Name of the index of a `.pxar` archive in one stream. `archive` is its name without any
 * extension.
 */
export function pxarIndexName(archive: string): string {
  return `${archive}.pxar.didx`;
}

/** Names of the indexes of a split archive. `archive` is its name without any extension. */
export function splitIndexNames(archive: string): { metadata: string; payload: string } {
  return { metadata: `${archive}.mpxar.didx`, payload: `${archive}.ppxar.didx` };
}

/** What people call a file of a snapshot: its name without `.didx`, `.fidx` or `.blob`. */
export function archiveNameOf(filename: string): string {
  return filename.replace(/\.(didx|fidx|blob)$/, "");
}

/** The file that a name means where it is not a `.pxar` archive, whether it is there or not. */
export function defaultFileName(name: string): string {
  if (/\.(didx|fidx|blob)$/.test(name)) return name;
  if (/\.(pxar|mpxar|ppxar|pcat1)$/.test(name)) return `${name}.didx`;
  return name.endsWith(".img") ? `${name}.fidx` : `${name}.blob`;
}

/**
 * Finds what a name means among the files of a snapshot. Names of the files themselves are
 * understood too, and each half of a split archive stands for both.
 *
 * @returns undefined when there is no such file, or only one half of a split archive
 */
export function findArchive(
  files: readonly Pick<ManifestFile, "filename">[],
  name: string,
): ArchiveFiles | undefined {
  const isThere = (filename: string) => files.some((file) => file.filename === filename);
  const file = defaultFileName(name);
  const [, archive] = /^(.+)\.[mp]?pxar\.didx$/.exec(file) ?? [];
  if (archive !== undefined) {
    if (isThere(pxarIndexName(archive)) && file === pxarIndexName(archive)) {
      return { kind: "pxar", index: file };
    }
    const { metadata, payload } = splitIndexNames(archive);
    return isThere(metadata) && isThere(payload)
      ? { kind: "split-pxar", metadata, payload }
      : undefined;
  }
  if (!isThere(file)) return undefined;
  if (file === CATALOG_NAME) return { kind: "catalog", index: file };
  if (file.endsWith(".fidx")) return { kind: "image", index: file };
  return file.endsWith(".blob") ? { kind: "blob", file } : undefined;
}
