/**
 * Every kind of entry, where every kind of thing stands in its place.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { FileType } from "#src/tree/node.ts";

const IS_ROOT = Deno.uid() === 0;

/** Device 1:3, and another one. */
const NULL_DEVICE = 0x103;
const ZERO_DEVICE = 0x105;

/** The first name of all hard links, which nothing is in the way of. */
export const FIRST = "a-first";

/** Makes something at a path. */
type Make = (path: string) => void;

function node(type: number, device = 0): Make {
  return (path) => {
    host.unwrap(host.mknodAt(host.At.FDCWD, path, type | 0o600, device), "mknod", path);
  };
}

/** What stands in the way, and what may take its place. */
interface Obstacle {
  readonly make: Make;
  /**
   * Files and links can be replaced, directories restored into; special files stay, for their like.
   */
  readonly kind: "replaceable" | "directory" | "special";
  readonly found: string;
}

const OBSTACLES_BY_NAME: Readonly<Record<string, Obstacle>> = {
  file: {
    make: (path) => Deno.writeTextFileSync(path, "old"),
    kind: "replaceable",
    found: "file",
  },
  link: {
    make: (path) => Deno.symlinkSync("nowhere", path),
    kind: "replaceable",
    found: "symbolic link",
  },
  linkToDirectory: {
    make: (path) => Deno.symlinkSync("..", path),
    kind: "replaceable",
    found: "symbolic link",
  },
  directory: { make: (path) => Deno.mkdirSync(path), kind: "directory", found: "directory" },
  fullDirectory: {
    make(path) {
      Deno.mkdirSync(path);
      Deno.writeTextFileSync(`${path}/kept`, "old");
    },
    kind: "directory",
    found: "directory",
  },
  fifo: { make: node(FileType.FIFO), kind: "special", found: "FIFO" },
  socket: { make: node(FileType.SOCKET), kind: "special", found: "socket" },
  ...(IS_ROOT
    ? {
      device: {
        make: node(FileType.CHARACTER_DEVICE, NULL_DEVICE),
        kind: "special",
        found: "device",
      },
      otherDevice: {
        make: node(FileType.CHARACTER_DEVICE, ZERO_DEVICE),
        kind: "special",
        found: "device",
      },
    }
    : {}),
};

/** The option of its own of each kind of entry, besides `--overwrite`. */
const ENTRIES: Readonly<Record<string, { make: Make; option?: string }>> = {
  file: { make: (path) => Deno.writeTextFileSync(path, "new"), option: "--overwrite-files" },
  symlink: { make: (path) => Deno.symlinkSync("new", path), option: "--overwrite-symlinks" },
  hardlink: {
    make: (path) => Deno.linkSync(`${path.slice(0, path.lastIndexOf("/"))}/${FIRST}`, path),
    option: "--overwrite-hardlinks",
  },
  directory: { make: (path) => Deno.mkdirSync(path), option: "--overwrite-directories" },
  fifo: { make: node(FileType.FIFO) },
  socket: { make: node(FileType.SOCKET) },
  ...(IS_ROOT ? { device: { make: node(FileType.CHARACTER_DEVICE, NULL_DEVICE) } } : {}),
};

/** An entry whose name is taken. */
export interface Encounter {
  /** Of both. */
  readonly name: string;
  readonly obstacle: string;
  readonly entry: string;
}

/** All of them. */
export const ENCOUNTERS: readonly Encounter[] = Object.keys(OBSTACLES_BY_NAME).flatMap((obstacle) =>
  Object.keys(ENTRIES).map((entry) => ({ name: `${obstacle}-${entry}`, obstacle, entry }))
);

/** Makes the tree that is archived. */
export function makeEntries(tree: string): void {
  Deno.mkdirSync(tree);
  Deno.writeTextFileSync(`${tree}/${FIRST}`, "linked");
  for (const { name, entry } of ENCOUNTERS) ENTRIES[entry]!.make(`${tree}/${name}`);
}

/** Makes what stands in the way. */
export function makeObstacles(target: string): void {
  Deno.mkdirSync(target);
  for (const { name, obstacle } of ENCOUNTERS) {
    OBSTACLES_BY_NAME[obstacle]!.make(`${target}/${name}`);
  }
}

/** What stands in the way, in words. */
export function foundAs({ obstacle }: Encounter): string {
  return OBSTACLES_BY_NAME[obstacle]!.found;
}

/** The options each of which lets the entry be restored. */
export function waysPast({ obstacle, entry }: Encounter): readonly string[] {
  const { kind } = OBSTACLES_BY_NAME[obstacle]!;
  const { option } = ENTRIES[entry]!;
  if (kind === "replaceable") return ["--overwrite", ...(option === undefined ? [] : [option])];
  if (kind === "directory") return entry === "directory" ? ["--allow-existing-dirs"] : [];
  return obstacle === entry ? ["--overwrite"] : [];
}

/** What is at a path, without its times. */
export function identify(path: string): string {
  const { isFile, isSymlink, isDirectory, mode, rdev, ino } = Deno.lstatSync(path);
  const type = (mode! & FileType.MASK).toString(8);
  if (isSymlink) return `${type} ${Deno.readLinkSync(path)}`;
  if (isFile) return `${type} ${Deno.readTextFileSync(path)}`;
  if (isDirectory) return `${type} ${[...Deno.readDirSync(path)].map(({ name }) => name)} ${ino}`;
  return `${type} ${rdev} ${ino}`;
}
