/**
 * Extracts chosen entries by random access: nothing else of the archive is read.
 *
 * @module
 */

import { pathNames } from "#src/tree/paths.ts";
import { isDamage } from "#src/io/sound_read.ts";
import { StateError, UsageError } from "#src/errors.ts";
import type { PxarAccessor, PxarChild, PxarLinkNode, PxarNode } from "../accessor.ts";
import type { ExtractTarget } from "./extract_target.ts";
import { Extraction, type ExtractionOptions, factsOfEntry } from "./extraction.ts";
import { isMalformed } from "../malformed.ts";
import { readerOf, RestoredLinks } from "./linked_files.ts";
import type { ExtractReport } from "./report.ts";

/** How one entry is extracted. */
export interface ExtractEntryOptions extends ExtractionOptions {
  /** Name it gets in the target, instead of its own. A directory then is made in the target. */
  readonly name?: string;
}

/** How several entries are extracted. */
export interface ExtractPathsOptions extends ExtractionOptions {
  /** Path of a directory of the archive that takes the place of its root. */
  readonly from?: string;
}

/**
 * Extracts the entries at `paths`, directories with all their content, to the same places below the
 * target, which is closed then. The directories on the way, and the target itself, get the metadata
 * that they have in the archive. A path that is not there is an error in the report. A hard link
 * whose file is not among the entries becomes that file.
 *
 * @throws {StateError} `not-found` when there is no directory {@link ExtractPathsOptions.from}
 * @throws {FormatError} when the archive is broken
 */
export function extractPaths(
  accessor: PxarAccessor,
  paths: readonly string[],
  target: ExtractTarget,
  options: ExtractPathsOptions = {},
): ExtractReport {
  const choice = new Choice();
  for (const path of paths) choice.add(pathNames(path));
  const top = pathNames(options.from ?? "/");
  const prefix = top.map((name) => `${name}/`).join("");
  return new Extraction(target, options, true).run((extraction) => {
    const root = accessor.lookup(top.join("/"));
    if (root?.table === undefined) throw notFound(top.join("/"));
    extraction.beginRoot(root.entry.metadata);
    const links = {
      resolve: (linkPath: string) => {
        if (!linkPath.startsWith(prefix)) return undefined;
        const path = linkPath.slice(prefix.length);
        return choice.has(pathNames(path)) ? path : undefined;
      },
    };
    const walk = new Walk(accessor, extraction, links);
    if (choice.isWhole) walk.content(root, "");
    else walk.chosen(root, "", choice);
    extraction.leaveDirectory();
  });
}

/**
 * Extracts the entry at `path` into the target, which is closed then. The content of a directory
 * goes into the target itself, which gets the directory's metadata; anything else, or a directory
 * with a `name`, becomes an entry of the target, which else stays as it is.
 *
 * @throws {StateError} `not-found`
 * @throws {FormatError} when the archive is broken
 */
export function extractEntry(
  accessor: PxarAccessor,
  path: string,
  target: ExtractTarget,
  options: ExtractEntryOptions = {},
): ExtractReport {
  return new Extraction(target, options, true).run((extraction) => {
    const node = accessor.lookup(path);
    if (node === undefined) throw notFound(path);
    const source = pathNames(path).join("/");
    const name = options.name ?? (node.table === undefined ? pathNames(path).at(-1)! : undefined);
    const place = name === undefined ? "" : `${name}/`;
    const links = {
      resolve: (linkPath: string) => {
        if (source === "") return `${place}${linkPath}`;
        const isInside = linkPath.startsWith(`${source}/`);
        return isInside ? `${place}${linkPath.slice(source.length + 1)}` : undefined;
      },
    };
    const walk = new Walk(accessor, extraction, links);
    if (name === undefined) {
      extraction.beginRoot(node.entry.metadata);
      walk.content(node, "");
    } else {
      if (name.includes("/")) throw new UsageError(`Cannot extract as "${name}": no single name`);
      extraction.beginRoot(undefined);
      walk.entry(node, name, name);
    }
    extraction.leaveDirectory();
  });
}

/** Paths as a tree of names. */
class Choice {
  readonly children = new Map<string, Choice>();
  /** Whether the entry itself is chosen, with all that is in it. */
  isWhole = false;

  add(names: readonly string[], index = 0): void {
    const name = names[index];
    if (name === undefined) {
      this.isWhole = true;
      return;
    }
    let next = this.children.get(name);
    if (next === undefined) this.children.set(name, next = new Choice());
    next.add(names, index + 1);
  }

  has(names: readonly string[], index = 0): boolean {
    const name = names[index];
    if (this.isWhole || name === undefined) return this.isWhole;
    return this.children.get(name)?.has(names, index + 1) ?? false;
  }
}

/** Where the targets of hard links are restored. */
interface LinkPlaces {
  /**
   * Path below the target directory of what is at `path` in the archive; undefined when that is not
   * extracted.
   */
  resolve(path: string): string | undefined;
}

/** Tells an extraction of entries. Paths are those in the target, without a leading slash. */
class Walk {
  readonly #accessor: PxarAccessor;
  readonly #extraction: Extraction;
  readonly #links: LinkPlaces;
  readonly #files: RestoredLinks;
  /** Of directories where some children are lost, by place: offsets of those that are not. */
  readonly #damaged = new Map<string, ReadonlySet<number>>();

  constructor(accessor: PxarAccessor, extraction: Extraction, links: LinkPlaces) {
    this.#accessor = accessor;
    this.#extraction = extraction;
    this.#links = links;
    this.#files = new RestoredLinks(accessor, extraction);
  }

  /** What is chosen below a directory that is not chosen itself. */
  chosen(directory: PxarNode, path: string, choice: Choice): void {
    const found: [child: PxarChild, choice: Choice][] = [];
    for (const [name, next] of choice.children) {
      const child = this.#attempt(() => {
        return directory.table && this.#accessor.storedChild(directory, name);
      });
      if (child instanceof Error) this.#extraction.lose(`/${join(path, name)}`, child);
      else if (child === undefined) this.#missing(join(path, name), next);
      else found.push([child, next]);
    }
    // In the order of the archive, so that a hard link comes behind its file.
    found.sort(([a], [b]) => a.offset - b.offset);
    for (const [child, next] of found) {
      const place = join(path, child.name);
      if (next.isWhole) this.entry(child, child.name, place);
      else if (isLink(child)) this.#missingBelow(place, next);
      else {
        this.#extraction.enterDirectory(child.name, `/${place}`, child.entry.metadata, false);
        this.chosen(child, place, next);
        this.#extraction.leaveDirectory();
      }
    }
  }

  /** An entry, with all that is in it. */
  entry(node: PxarChild, name: string, path: string): void {
    if (isLink(node)) return this.#link(node, name, path);
    if (node.table === undefined) {
      const read = readerOf(this.#accessor, node);
      this.#extraction.restoreEntry(name, `/${path}`, factsOfEntry(node.entry), read);
      return;
    }
    this.#extraction.enterDirectory(name, `/${path}`, node.entry.metadata, true);
    this.content(node, path);
    this.#extraction.leaveDirectory();
  }

  /** Everything in a directory. */
  content(directory: PxarNode, path: string): void {
    const onDamage = (damage: Error) => {
      this.#extraction.fail(`/${path}`, damage);
      const sound = this.#accessor.readDirectory(directory, () => {});
      this.#damaged.set(path, new Set(Array.from(sound, ({ offset }) => offset)));
    };
    const error = this.#attempt(() => {
      for (const child of this.#accessor.readDirectory(directory, onDamage)) {
        this.entry(child, child.name, join(path, child.name));
      }
    });
    // No further name of what may not have been restored.
    if (error !== undefined) this.#extraction.lose(`/${path}`, error);
  }

  #link(link: PxarLinkNode, name: string, path: string): void {
    const found = this.#attempt(() => {
      const file = this.#accessor.resolveHardlink(link);
      const isOther = this.#files.placeOf(file) !== undefined;
      return { file, place: isOther ? undefined : this.#placeOf(link, file) };
    });
    if (found instanceof Error) return this.#extraction.fail(`/${path}`, found);
    const { file, place } = found;
    const isTargetLost = place !== undefined &&
      this.#damaged.get(directoryOf(place))?.has(file.offset) === false;
    const leave = { isTargetSelected: true, mayCopy: true, isTargetLost };
    if (
      place === undefined || !this.#extraction.restoreHardlink(name, `/${path}`, place, leave)
    ) this.#files.restore(file, name, path);
  }

  /** Where a link's file was restored; its path and its offset must speak of the same entry. */
  #placeOf(link: PxarLinkNode, file: PxarNode): string | undefined {
    const { targetPath } = link.entry;
    const place = this.#links.resolve(targetPath);
    if (place === undefined) return undefined;
    return this.#accessor.lookupChild(targetPath)?.offset === file.offset ? place : undefined;
  }

  /** Reads something of the archive. @returns the error where that alone cannot be read */
  #attempt<Result>(read: () => Result): Result | Error {
    try {
      return read();
    } catch (error) {
      if (isDamage(error) || isMalformed(error)) return error;
      throw error;
    }
  }

  #missing(path: string, choice: Choice): void {
    if (choice.isWhole) this.#extraction.fail(`/${path}`, notFound(path));
    else this.#missingBelow(path, choice);
  }

  #missingBelow(path: string, choice: Choice): void {
    for (const [name, next] of choice.children) this.#missing(join(path, name), next);
  }
}

function isLink(child: PxarChild): child is PxarLinkNode {
  return child.entry.kind === "hardlink";
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}/${name}`;
}

function directoryOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function notFound(path: string): StateError {
  const shown = JSON.stringify(`/${pathNames(path).join("/")}`);
  return new StateError("not-found", `The archive has no entry ${shown}`);
}
