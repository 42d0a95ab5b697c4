/**
 * Random trees, and what placing them together has to give: an independent and simple reckoning.
 *
 * @module
 */

import fc from "fast-check";
import { type Acl, NO_ACL } from "#src/bytes/acl.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import type { ConflictPolicy } from "#src/transfer/mod.ts";
import { directory, metadata, type ModelDirectory, type ModelNode } from "./_model.ts";

/**
 * Few, so that trees meet; with bytes above ASCII, code points above the surrogates and bytes that
 * are no UTF-8.
 */
const NAMES = ["a", "b", "c", "A", "a~2", "ü", "\u{1f600}", "\uffee", "\udce9\udcff", " ", "-x"];

const acl: fc.Arbitrary<Acl> = fc.record({
  users: fc.uniqueArray(fc.nat(3), { maxLength: 2 }).map((ids) =>
    ids.sort().map((id) => ({ id: BigInt(id), permissions: 6n }))
  ),
  groups: fc.constant([]),
  groupObject: fc.constantFrom(undefined, 5n),
  default: fc.constantFrom(undefined, {
    userObject: 7n,
    groupObject: 5n,
    other: 0n,
    mask: undefined,
  }),
  defaultUsers: fc.constant([]),
  defaultGroups: fc.constantFrom([], [{ id: 9n, permissions: 4n }]),
});

function metadataOf(kind: ModelNode["kind"]): fc.Arbitrary<Metadata> {
  return fc.record({
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.constantFrom(0, 1000, 2 ** 32 - 2),
    gid: fc.constantFrom(0, 1000),
    mtime: fc.record({
      seconds: fc.integer({ min: -(2 ** 33), max: 2 ** 33 }),
      nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
    }),
    flags: fc.constantFrom(0n, 0x400000n, 0x10000n),
    xattrs: fc.uniqueArray(
      fc.record({
        name: fc.constantFrom("user.a", "user.b", "trusted.c"),
        value: fc.uint8Array({ maxLength: 9 }),
      }),
      { selector: ({ name }) => name, maxLength: 2 },
    ),
    acl: kind === "directory" ? fc.oneof(fc.constant(NO_ACL), acl) : fc.constant(NO_ACL),
    fcaps: kind === "file"
      ? fc.constantFrom(undefined, Uint8Array.of(1, 0, 0, 2))
      : fc.constant(undefined),
    projectId: fc.constantFrom(0n, 7n),
  }).map((fields) => metadata(kind, fields));
}

const content = fc.oneof(
  fc.uint8Array({ maxLength: 12 }),
  fc.nat(20_000).map((size) => Uint8Array.from({ length: size }, (_, i) => i * 7 + size)),
);

const leaf: fc.Arbitrary<ModelNode> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("file" as const),
      metadata: metadataOf("file"),
      content,
    }),
  },
  fc.record({
    kind: fc.constant("symlink" as const),
    metadata: metadataOf("symlink"),
    target: fc.constantFrom("a", "../b", "/etc/passwd"),
  }),
  fc.record({
    kind: fc.constant("device" as const),
    metadata: metadataOf("device"),
    major: fc.bigInt({ min: 0n, max: 4095n }),
    minor: fc.bigInt({ min: 0n, max: 255n }),
  }),
  fc.record({ kind: fc.constant("fifo" as const), metadata: metadataOf("fifo") }),
  fc.record({ kind: fc.constant("socket" as const), metadata: metadataOf("socket") }),
);

const { node } = fc.letrec<{ node: ModelNode; directory: ModelDirectory }>((tie) => ({
  node: fc.oneof({ depthSize: "small", withCrossShrink: true }, leaf, tie("directory")),
  directory: fc.record({
    metadata: metadataOf("directory"),
    children: fc.uniqueArray(fc.tuple(fc.constantFrom(...NAMES), tie("node")), {
      selector: ([name]) => name,
      maxLength: 5,
    }),
  }).map(({ metadata, children }) => ({
    kind: "directory" as const,
    metadata,
    children: new Map(children),
  })),
}));

/** Random trees with some files under several names. */
export const modelTree: fc.Arbitrary<ModelDirectory> = fc.tuple(
  metadataOf("directory"),
  fc.uniqueArray(fc.tuple(fc.constantFrom(...NAMES), node), {
    selector: ([name]) => name,
    maxLength: 6,
  }),
  fc.array(fc.tuple(fc.nat(), fc.nat(), fc.constantFrom(...NAMES)), { maxLength: 4 }),
).map(([metadata, children, links]) => {
  const root: ModelDirectory = { kind: "directory", metadata, children: new Map(children) };
  for (const [file, place, name] of links) {
    const files = listNodes(root).filter(({ node }) => node.kind === "file");
    const places = listNodes(root).map(({ node }) => node).filter(isDirectory);
    const target = files[file % Math.max(1, files.length)]?.node;
    const { children } = places[place % places.length]!;
    if (target !== undefined && !children.has(name)) children.set(name, target);
  }
  return root;
});

/** Whether a node is a directory. */
export function isDirectory(node: ModelNode | undefined): node is ModelDirectory {
  return node?.kind === "directory";
}

/** All entries of a model, the root first. */
export function listNodes(root: ModelDirectory): { path: string; node: ModelNode }[] {
  const result: { path: string; node: ModelNode }[] = [];
  const visit = (path: string, node: ModelNode) => {
    result.push({ path: path === "" ? "/" : path, node });
    if (!isDirectory(node)) return;
    for (const [name, child] of node.children) visit(`${path}/${name}`, child);
  };
  visit("", root);
  return result;
}

/** The entry at a path of a model. */
export function nodeAt(root: ModelDirectory, path: string): ModelNode | undefined {
  let node: ModelNode | undefined = root;
  for (const name of path.split("/").filter((name) => name !== "")) {
    node = isDirectory(node) ? node.children.get(name) : undefined;
  }
  return node;
}

/** A conflict that the policy `error` refuses. */
export class ModelConflict extends Error {}

/** What is placed: a path of a tree, and the path it gets. */
export interface ModelPlacement {
  readonly tree: ModelDirectory;
  readonly from: string;
  readonly to: string;
}

/**
 * Places one entry after the other, as somebody would who copies by hand. Not for the policy
 * `rename`.
 */
export function placeAll(
  placements: readonly ModelPlacement[],
  policy: Exclude<ConflictPolicy, "rename">,
): ModelDirectory {
  const implied = new Set<ModelDirectory>();
  const first = placements[0]!.tree;
  let root: ModelNode = { ...directory(), metadata: first.metadata };
  implied.add(root);

  const unite = (existing: ModelNode | undefined, added: ModelNode): ModelNode => {
    if (existing === undefined) return isDirectory(added) ? copyOf(added) : added;
    if (isDirectory(existing) && isDirectory(added)) {
      if (!implied.has(added) && (implied.has(existing) || policy === "last")) {
        existing.metadata = added.metadata;
        implied.delete(existing);
      }
      for (const [name, child] of added.children) {
        existing.children.set(name, unite(existing.children.get(name), child));
      }
      return existing;
    }
    if (existing === added) return existing;
    if (policy === "error") throw new ModelConflict();
    if (policy === "first") return existing;
    return isDirectory(added) ? copyOf(added) : added;
  };
  const copyOf = (source: ModelDirectory): ModelDirectory => {
    const copy: ModelDirectory = { ...directory(), metadata: source.metadata };
    if (implied.has(source)) implied.add(copy);
    for (const [name, child] of source.children) copy.children.set(name, unite(undefined, child));
    return copy;
  };

  for (const { tree, from, to } of placements) {
    const names = to.split("/").filter((name) => name !== "");
    let placed = nodeAt(tree, from)!;
    for (let length = names.length; length > 0; length--) {
      const isTop = length === 1;
      const path = names.slice(0, length - 1);
      const parent = nodeAt(tree, path.join("/"));
      const { uid, gid, mtime } = tree.metadata;
      const wrapper: ModelDirectory = {
        kind: "directory",
        metadata: isTop
          ? first.metadata
          : isDirectory(parent)
          ? parent.metadata
          : metadata("directory", { mode: 0o755, uid, gid, mtime }),
        children: new Map([[names[length - 1]!, placed]]),
      };
      implied.add(wrapper);
      placed = wrapper;
    }
    root = unite(root, placed);
  }
  return root as ModelDirectory;
}
