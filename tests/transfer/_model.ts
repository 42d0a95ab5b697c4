/**
 * Trees in memory with all metadata: what copies are compared with, as a source and as a target.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { EntryWriter, NewEntry, NewFile } from "#src/pxar/mod.ts";
import { NO_ACL } from "#src/bytes/acl.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { FileType } from "#src/tree/node.ts";
import { type TreeWriter, walkEntries } from "#src/transfer/mod.ts";
import {
  ALL_FIELDS,
  type DirectoryEntry,
  type DirectoryNode,
  type Node,
  type Tree,
  xattrsFromMetadata,
} from "#src/tree/mod.ts";

/** A directory of a model. */
export interface ModelDirectory {
  readonly kind: "directory";
  metadata: Metadata;
  readonly children: Map<string, ModelNode>;
}

/** An entry of a model. The same file object under several names is one hard-linked file. */
export type ModelNode =
  | ModelDirectory
  | { readonly kind: "file"; readonly metadata: Metadata; readonly content: Uint8Array }
  | { readonly kind: "symlink"; readonly metadata: Metadata; readonly target: string }
  | {
    readonly kind: "device";
    readonly metadata: Metadata;
    readonly major: bigint;
    readonly minor: bigint;
  }
  | { readonly kind: "fifo" | "socket"; readonly metadata: Metadata };

const TYPE_BITS = {
  directory: FileType.DIRECTORY,
  file: FileType.FILE,
  symlink: FileType.SYMLINK,
  device: FileType.BLOCK_DEVICE,
  fifo: FileType.FIFO,
  socket: FileType.SOCKET,
} as const;

/** Plain metadata with some fields of one's own. */
export function metadata(
  kind: ModelNode["kind"],
  fields: Partial<Metadata> = {},
): Metadata {
  return {
    uid: 0,
    gid: 0,
    mtime: { seconds: 1_700_000_000, nanoseconds: 5 },
    flags: 0n,
    xattrs: [],
    acl: NO_ACL,
    fcaps: undefined,
    projectId: 0n,
    ...fields,
    mode: TYPE_BITS[kind] | (fields.mode ?? 0o755),
  };
}

/** A directory of a model. */
export function directory(
  children: Readonly<Record<string, ModelNode>> = {},
  fields: Partial<Metadata> = {},
): ModelDirectory {
  return {
    kind: "directory",
    metadata: metadata("directory", fields),
    children: new Map(Object.entries(children)),
  };
}

/** A regular file of a model. */
export function file(
  content: string | Uint8Array,
  fields: Partial<Metadata> = {},
): ModelNode & { kind: "file" } {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return { kind: "file", metadata: metadata("file", { mode: 0o644, ...fields }), content: bytes };
}

/** A symbolic link of a model. */
export function symlink(target: string): ModelNode {
  return { kind: "symlink", metadata: metadata("symlink", { mode: 0o777 }), target };
}

/** Reads a model. Contents are given in pieces of odd sizes. */
export function readModel(root: ModelDirectory, prelude?: Uint8Array): Tree {
  const ids = new Map<ModelNode, number>();
  const origin = {};
  const idOf = (node: ModelNode) => {
    if (!ids.has(node)) ids.set(node, ids.size + 1);
    return ids.get(node)!;
  };
  const entryOf = (node: ModelNode): Node => {
    const { mode, uid, gid, mtime } = node.metadata;
    const size = node.kind === "file" ? node.content.length : 0;
    const base = {
      origin,
      id: idOf(node),
      attributes: { mode, uid, gid, mtime, size, nlink: 1, rdev: 0 },
      xattrs: () => xattrsFromMetadata(node.metadata),
    };
    if (node.kind === "directory") {
      return {
        ...base,
        kind: "directory",
        metadata: node.metadata,
        lookup: (name) => {
          const child = node.children.get(name);
          return child === undefined ? undefined : entryOf(child);
        },
        entries: () =>
          [...node.children].map(([name, child]): DirectoryEntry => ({
            name,
            node: entryOf(child),
          })),
      };
    }
    if (node.kind !== "file") return { ...base, ...node };
    const { content } = node;
    return {
      ...base,
      kind: "file",
      metadata: node.metadata,
      linkCount: undefined,
      open: () => ({
        readInto: (target, start, size, offset) => {
          const part = content.subarray(offset, offset + Math.min(size, 4093));
          target.bytes.set(part, start);
          return part.length;
        },
        close: () => {},
      }),
    };
  };
  return {
    root: entryOf(root) as DirectoryNode,
    knownFields: ALL_FIELDS,
    prelude,
    close: () => {},
  };
}

/** Makes a model of what is written, and checks the rules that a writer may rely on. */
export class ModelWriter implements TreeWriter, EntryWriter {
  root: ModelDirectory | undefined;
  prelude: Uint8Array | undefined;
  isFinished = false;
  /** Calls in order, for tests of the order: `name` or `name -> target`. */
  readonly log: string[] = [];
  readonly #stack: ModelDirectory[] = [];
  readonly #files: { node: ModelNode; path: string }[] = [];
  readonly #path: string[] = [];

  startRoot(metadata: Metadata, prelude: Uint8Array | undefined): EntryWriter {
    this.root = { kind: "directory", metadata, children: new Map() };
    this.prelude = prelude;
    this.#stack.push(this.root);
    return this;
  }

  add(name: string, entry: NewEntry): number {
    switch (entry.kind) {
      case "directory": {
        const { kind, metadata } = entry;
        const node: ModelDirectory = { kind, metadata, children: new Map() };
        this.#add(name, node);
        this.#stack.push(node);
        this.#path.push(name);
        return -1;
      }
      case "file":
        return this.#addFile(name, entry);
      case "hardlink": {
        const { targetPath } = entry;
        const { node, path } = this.#files[entry.target]!;
        if (path !== targetPath) throw new Error(`link to "${targetPath}" instead of "${path}"`);
        this.#add(name, node);
        this.log.push(`${name} -> ${targetPath}`);
        return -1;
      }
      case "reference":
        throw new Error(`"${name}" has no content`);
      // Entries may say more than what is promised to writers.
      case "symlink": {
        const { kind, metadata, target } = entry;
        this.#add(name, { kind, metadata, target });
        return -1;
      }
      case "device": {
        const { kind, metadata, major, minor } = entry;
        this.#add(name, { kind, metadata, major, minor });
        return -1;
      }
      default: {
        const { kind, metadata } = entry;
        this.#add(name, { kind, metadata });
        return -1;
      }
    }
  }

  finishDirectory(): void {
    this.#stack.pop();
    this.#path.pop();
    if (this.#stack.length === 0) throw new Error("the root was finished");
  }

  finish(): undefined {
    if (this.#stack.length !== 1) throw new Error("a directory is open");
    this.isFinished = true;
  }

  #addFile(name: string, { metadata, size, open }: NewFile): number {
    const bytes = new Uint8Array(size);
    const content = open();
    for (let done = 0; done < size;) {
      const count = content.readAt(bytes.subarray(done), done);
      if (count === 0) throw new Error(`short content of "${name}"`);
      done += count;
    }
    content.close?.();
    const node: ModelNode = { kind: "file", metadata, content: bytes };
    this.#add(name, node);
    this.#files.push({ node, path: [...this.#path, name].join("/") });
    return this.#files.length - 1;
  }

  #add(name: string, node: ModelNode): void {
    const { children } = this.#stack.at(-1)!;
    if (children.has(name)) throw new Error(`"${name}" is there twice`);
    children.set(name, node);
  }
}

/** Everything a tree says, as plain values that can be compared: one text an entry, in order. */
export function describeTree(reader: Tree): string[] {
  const firstNames = new Map<object, Map<number, string>>();
  const lines: string[] = [];
  for (const { path, entry } of walkEntries(reader)) {
    const { kind } = entry;
    let rest: string[] = [];
    if (kind === "symlink") rest = [entry.target];
    if (kind === "device") rest = [`${entry.major}:${entry.minor}`];
    if (entry.kind === "file") {
      let names = firstNames.get(entry.origin);
      if (names === undefined) firstNames.set(entry.origin, names = new Map());
      if (!names.has(entry.id)) names.set(entry.id, path);
      const bytes = Buffer.alloc(entry.attributes.size);
      const content = entry.open();
      for (let done = 0; done < bytes.length;) {
        const count = content.readInto({ bytes, address: 0n }, done, bytes.length - done, done);
        if (count === 0) throw new Error(`short content of "${path}"`);
        done += count;
      }
      content.close();
      rest = [bytes.toString("latin1"), names.get(entry.id)!];
    }
    lines.push(JSON.stringify([path, kind, describeMetadata(entry.metadata), ...rest]));
  }
  return lines;
}

/** Metadata as a text, whatever the order in which its fields were given. */
export function describeMetadata(metadata: Metadata): string {
  const { mode, uid, gid, mtime, flags, xattrs, acl, fcaps, projectId } = metadata;
  const { users, groups, groupObject, default: inherited, defaultUsers, defaultGroups } = acl;
  const values = [
    [mode, uid, gid, mtime.seconds, mtime.nanoseconds, flags, projectId, fcaps],
    xattrs.map(({ name, value }) => [name, value]),
    [users, groups, defaultUsers, defaultGroups].map((entries) =>
      entries.map(({ id, permissions }) => [id, permissions])
    ),
    groupObject,
    inherited &&
    [inherited.userObject, inherited.groupObject, inherited.other, inherited.mask],
  ];
  return JSON.stringify(values, (_key, value) => {
    if (typeof value === "bigint") return `${value}n`;
    if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
    return value;
  });
}
