/**
 * Sources of archives that are the host's, but for what a test puts between.
 *
 * @module
 */

import {
  type BuildSource,
  type MakeBuildSource,
  makeNativeSource,
  type SourceDirectory,
  type SourceFile,
} from "#src/pxar/builder/mod.ts";

/** The host's files, each as what `wrap` makes of it. Paths begin at the source, with a slash. */
export function hostSourceOf(
  wrap: (file: SourceFile, path: string) => SourceFile,
): MakeBuildSource {
  return (options, report): BuildSource => {
    const source = makeNativeSource(options, report);
    return {
      uid: source.uid,
      gid: source.gid,
      openRoot(path, stat) {
        const root = source.openRoot(path, stat);
        return typeof root === "number" ? root : wrapDirectory(root, "", wrap);
      },
    };
  };
}

/** A directory with its files wrapped, and those of the directories in it. */
function wrapDirectory(
  directory: SourceDirectory,
  at: string,
  wrap: (file: SourceFile, path: string) => SourceFile,
): SourceDirectory {
  return {
    list: (take) => directory.list(take),
    stat: (name, stat) => directory.stat(name, stat),
    openFile(name, stat) {
      const file = directory.openFile(name, stat);
      return typeof file === "number" ? file : wrap(file, `${at}/${name}`);
    },
    openDirectory(name, stat) {
      const child = directory.openDirectory(name, stat);
      return typeof child === "number" ? child : wrapDirectory(child, `${at}/${name}`, wrap);
    },
    readLink: (name) => directory.readLink(name),
    metadata: (stat, path) => directory.metadata(stat, path),
    isPseudo: () => directory.isPseudo?.() === true,
    close: () => directory.close(),
  };
}
