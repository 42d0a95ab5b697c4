/**
 * Walks what is to be restored: makes directories, has files written, and keeps what can only be
 * made when these are there.
 *
 * @module
 */

import type { FileNode, Node } from "#src/tree/node.ts";
import { FirstNames } from "#src/transfer/first_names.ts";
import {
  makeHardLink,
  makeLink,
  makeSpecial,
  removeAll,
  removeOthers,
  takeDirectory,
} from "./directories.ts";
import type { FileJobs } from "./file_jobs.ts";
import { isOwnFile } from "./file_writer.ts";
import { linkAsItIs, type RestoreLayout, type RestoreRoot } from "./layout.ts";
import type { NodeMetadata } from "./node_metadata.ts";
import type { WriteCounts } from "./restore_queue.ts";
import { OWN_NAMES } from "./unfinished.ts";

/** How a tree is written. */
export interface RestoreWalkOptions {
  readonly layout: RestoreLayout;
  readonly jobs: FileJobs;
  readonly metadata: NodeMetadata;
  /** Directories have something in them already. */
  readonly isIncremental: boolean;
  /** So many files, in the order of the walk, are complete already. */
  readonly doneCount: number;
  /** Paths in the target that are written at the end, by others. */
  readonly heldBack: ReadonlySet<string>;
  /** Metadata that could not be kept are counted here. */
  readonly written: WriteCounts;
}

/** What has been made. */
export interface TreeCounts {
  files: number;
  directories: number;
  links: number;
  /** Names that the source does not have. */
  removed: number;
}

/** A node with its place. */
interface Placed {
  readonly path: string;
  readonly node: Node;
}

/** See the head of the module. */
export class RestoreWalk {
  readonly counts: TreeCounts = { files: 0, directories: 0, links: 0, removed: 0 };
  readonly #options: RestoreWalkOptions;
  readonly #firstNames = new FirstNames();
  readonly #directories: Placed[] = [];
  readonly #links: (Placed & { readonly target: string })[] = [];
  readonly #hardLinks: { readonly path: string; readonly targetPath: string }[] = [];

  constructor(options: RestoreWalkOptions) {
    this.#options = options;
  }

  /** Makes all directories, and has all files written. @throws {Failure} */
  writeFiles(): void {
    for (const root of this.#options.layout.roots) this.#writeRoot(root);
  }

  /** Makes what needs the files. @throws {OsError} */
  writeLinks(): void {
    const { metadata, written } = this.#options;
    for (const { path, targetPath } of this.#hardLinks) makeHardLink(path, targetPath);
    // Last: nothing is ever written through a link that was restored.
    for (const { path, node, target } of this.#links) {
      makeLink(path, target);
      if (node.kind === "symlink") metadata.restoreSpecial(path, node, written);
      else metadata.giveToOwnerOf(node, path);
    }
  }

  /** Gives directories their metadata, the inner ones first; but for the target itself. */
  finishDirectories(): void {
    const { layout, metadata, written } = this.#options;
    const [target] = layout.roots;
    for (const { path, node } of this.#directories.reverse()) {
      if (path !== target!.path) metadata.restorePath(path, node, written);
    }
  }

  #writeRoot(root: RestoreRoot): void {
    // A stack of its own, so that deep trees cannot exhaust the program's.
    const stack: { path: string; node: Node }[] = [{ path: "", node: root.node }];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      const { path, node } = next;
      if (node.kind !== "directory") continue;
      const place = path === "" ? root.path : `${root.path}/${path}`;
      this.#enter(root, path, place, node);
      const names = new Set<string>();
      for (const entry of node.entries()) {
        const { name } = entry;
        const childPath = path === "" ? name : `${path}/${name}`;
        if (root.kind === "target" && this.#isLeftOut(childPath)) continue;
        names.add(name);
        const target = this.#linkTarget(root, childPath, entry.node);
        if (target !== undefined) this.#writeLink(`${place}/${name}`, entry.node, target);
        else if (entry.node.kind === "directory") stack.push({ path: childPath, node: entry.node });
        else this.#write(root, childPath, place, name, entry.node);
      }
      if (this.#options.isIncremental) this.#removeOthers(root, path, place, names);
    }
  }

  #isLeftOut(path: string): boolean {
    return OWN_NAMES.has(path) || this.#options.layout.isLeftOut(path);
  }

  #linkTarget(root: RestoreRoot, path: string, node: Node): string | undefined {
    if (root.kind === "target") return this.#options.layout.linkTarget(path, node);
    return linkAsItIs(node);
  }

  #enter(root: RestoreRoot, path: string, place: string, node: Node): void {
    if (path !== "") takeDirectory(place, this.#options.isIncremental);
    this.#directories.push({ path: place, node });
    if (path !== "" || root.kind === "target") this.counts.directories += 1;
  }

  #write(root: RestoreRoot, path: string, directory: string, name: string, node: Node): void {
    const place = `${directory}/${name}`;
    if (node.kind === "file") return this.#writeFile(root, path, directory, name, node);
    this.counts.links += 1;
    makeSpecial(place, node);
    this.#options.metadata.restoreSpecial(place, node, this.#options.written);
  }

  #writeLink(path: string, node: Node, target: string): void {
    this.counts.links += 1;
    this.#links.push({ path, node, target });
  }

  #writeFile(
    root: RestoreRoot,
    path: string,
    directory: string,
    name: string,
    node: FileNode,
  ): void {
    const { layout, jobs, doneCount, heldBack, isIncremental } = this.#options;
    const place = `${directory}/${name}`;
    if (root.kind === "target" && heldBack.has(path)) return;
    const first = this.#firstNames.find(node);
    if (first !== undefined) {
      this.counts.links += 1;
      this.#hardLinks.push({ path: place, targetPath: first.path });
      return;
    }
    this.#firstNames.add(node, directory, name, 0);
    this.counts.files += 1;
    if (this.counts.files <= doneCount) return;
    // Whoever has another name of the file keeps what is there.
    if (isIncremental && isOwnFile(place) === false) removeAll(place);
    jobs.add({ node, path: place, isEmptied: layout.isEmptied(root, path) });
  }

  #removeOthers(root: RestoreRoot, path: string, place: string, names: Set<string>): void {
    // An external directory is not the cluster's alone, nor is what a tablespace lies in.
    if (root.kind === "external" || (root.kind === "tablespace" && path === "")) return;
    const isOwn = root.kind === "target" && path === "";
    this.counts.removed += removeOthers(
      place,
      (name) => names.has(name) || (isOwn && OWN_NAMES.has(name)),
    );
  }
}
