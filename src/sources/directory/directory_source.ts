/**
 * A directory of the host as a source.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { NO_WAIT_GATE, type WaitGate } from "#src/io/wait_gate.ts";
import type { MountableTree } from "#src/tree/node.ts";
import { formatSourceName } from "../name.ts";
import { factsOf } from "../postgres_facts.ts";
import { type Source, type SourceDescription, type SourceThread, summaryOf } from "../source.ts";
import { DirectoryPlace } from "./directory_place.ts";
import { identifyDirectory } from "./directory_survey.ts";
import { DirectoryTree } from "./directory_tree.ts";
import { createInodeMemory } from "./inode_table.ts";

/** See {@link SourceDescription}. */
export interface HostDirectoryDescription extends SourceDescription {
  readonly kind: "dir";
  /** Absolute, without links: for messages. */
  readonly path: string;
  /** The open directory: descriptors are the process's. */
  readonly fd: number;
  /** What all threads know of its files; see `inode_table.ts`. */
  readonly inodes: SharedArrayBuffer;
}

/**
 * Opens a directory. Nothing in it is looked at yet.
 *
 * @param path absolute, without links
 * @throws {OsError} when it is none, or may not be read
 */
export function openDirectorySource(path: string): Source {
  const { OpenFlag } = host;
  const flags = OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;
  const fd = host.unwrap(host.open(path, flags), "open", path);
  using stack = new DisposableStack();
  stack.defer(() => void host.close(fd));
  const stat = new host.HostStat();
  host.unwrap(host.statFd(fd, stat), "stat", path);
  const description: HostDirectoryDescription = {
    kind: "dir",
    name: formatSourceName({ kind: "dir", place: path, item: undefined }),
    label: path,
    content: "tree",
    sizeBytes: null,
    mayHaveAcls: true,
    path,
    fd,
    inodes: createInodeMemory(stat.device),
  };
  const openTree = () => new DirectoryTree(openPlace(description, NO_WAIT_GATE));
  const kept = stack.move();
  return {
    description,
    get summary() {
      return summaryOf(description, factsOf(openTree));
    },
    identify() {
      return Promise.try(() => {
        const place = openPlace(description, NO_WAIT_GATE);
        try {
          return identifyDirectory(place, description.name);
        } finally {
          place.close();
        }
      });
    },
    openTree,
    [Symbol.dispose]: () => kept.dispose(),
  };
}

/** Opens the directory in a thread. Nothing is read. */
export function attachDirectory(
  description: HostDirectoryDescription,
  { gate }: SourceThread,
): MountableTree {
  return new DirectoryTree(openPlace(description, gate));
}

function openPlace({ fd, path, inodes }: HostDirectoryDescription, gate: WaitGate): DirectoryPlace {
  return new DirectoryPlace(fd, path, inodes, gate);
}
