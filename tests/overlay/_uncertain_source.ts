/**
 * A lower tree whose source may have to be waited for, and a mount that refuses such waits, or ends
 * them, by chance: requests are then done again from their beginning.
 *
 * @module
 */

import {
  isAboutWaiting,
  waitAt,
  WaitEnded,
  type WaitGate,
  WaitRefused,
} from "#src/io/wait_gate.ts";
import type { Overlay } from "#src/overlay/mod.ts";
import type { Attributes, DirectoryNode, FileNode, MountableTree, Node } from "#src/tree/node.ts";

/** Refuses the first wait of a request, or ends a later one. */
export class UncertainGate implements WaitGate {
  /** Attempts of requests that did not come to their end. */
  setbacks = 0;
  readonly #random: () => number;
  #isRefusing = false;
  #isAdmitted = false;
  /** So many waits from now the request is ended; -1: never. */
  #endAfter = -1;
  #isEnded = false;
  #depth = 0;

  /** @param random numbers from 0 to 1 */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** An attempt begins. @param isLast it is to be left alone */
  begin(isLast: boolean): void {
    this.#isRefusing = !isLast && this.#random() < 0.3;
    this.#endAfter = isLast || this.#random() < 0.7 ? -1 : Math.floor(this.#random() * 4);
    this.#isAdmitted = false;
    this.#isEnded = false;
    this.#depth = 0;
  }

  tryAdmit(): boolean {
    if (this.#isRefusing && !this.#isAdmitted) return false;
    this.#isAdmitted = true;
    return true;
  }

  enter(): void {
    if (this.#depth > 0) {
      this.#depth++;
      return;
    }
    if (!this.tryAdmit()) throw new WaitRefused();
    if (this.#isEnded) throw new WaitEnded();
    this.#depth = 1;
  }

  leave(): void {
    if (--this.#depth > 0) return;
    if (this.#endAfter < 0 || this.#endAfter-- > 0) return;
    this.#isEnded = true;
    throw new WaitEnded();
  }
}

/** An overlay as requests see it: each is done until it comes to its end. */
export function persistent(overlay: Overlay, gate: UncertainGate): Overlay {
  return new Proxy(overlay, {
    get(target, key) {
      const value = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        for (let attempt = 0;; attempt++) {
          gate.begin(attempt === 3);
          try {
            return value.apply(target, args);
          } catch (error) {
            if (!isAboutWaiting(error)) throw error;
            gate.setbacks++;
          }
        }
      };
    },
  });
}

/**
 * The tree, where contents, sizes and extended attributes come from a source that is behind a gate.
 * Names do so for the first wait only: the overlay looks for them also when it has changed
 * something.
 */
export function behindGate(tree: MountableTree, gate: WaitGate): MountableTree {
  return {
    root: gatedNode(tree.root, gate) as DirectoryNode,
    knownFields: tree.knownFields,
    nodeById: (id) => {
      const node = tree.nodeById(id);
      return node && gatedNode(node, gate);
    },
    close: () => tree.close(),
  };
}

function gatedNode(node: Node, gate: WaitGate): Node {
  const attributes: Attributes = Object.create(node.attributes, {
    size: { get: () => waitAt(gate, () => node.attributes.size) },
  });
  const common = { attributes, xattrs: () => waitAt(gate, () => node.xattrs()) };
  if (node.kind === "directory") {
    const lookup = (name: string) => {
      if (!gate.tryAdmit()) throw new WaitRefused();
      const found = node.lookup(name);
      return found && gatedNode(found, gate);
    };
    const entries = () => {
      if (!gate.tryAdmit()) throw new WaitRefused();
      return [...node.entries()].map(({ name, node }) => ({ name, node: gatedNode(node, gate) }));
    };
    return { ...node, ...common, lookup, entries } satisfies DirectoryNode;
  }
  if (node.kind !== "file") return { ...node, ...common };
  const open = () => {
    const content = node.open();
    return {
      readInto: (...args: Parameters<typeof content.readInto>) =>
        waitAt(gate, () => content.readInto(...args)),
      close: () => content.close(),
    };
  };
  return { ...node, ...common, open } satisfies FileNode;
}
