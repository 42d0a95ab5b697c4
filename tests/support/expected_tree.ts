/**
 * Directories compared with the lists of the golden datastore.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { decodeFileName, encodeFileName } from "#src/bytes/file_name.ts";
import * as host from "#ffi/libc/calls.ts";
import type { ExpectedTreeEntry } from "./pbs_fixtures.ts";

const TYPES: Readonly<Record<number, string>> = {
  1: "fifo",
  2: "char",
  4: "dir",
  6: "block",
  8: "file",
  10: "symlink",
  12: "socket",
};

/** Entries by path, in the terms of `expected.json`. */
export type TreeDescription = Record<string, Record<string, unknown>>;

/** What an archive of `tree` holds. */
export function describeExpected(
  tree: readonly ExpectedTreeEntry[],
  without: readonly string[] = [],
  plus: readonly ExpectedTreeEntry[] = [],
): TreeDescription {
  const left = new Set(without);
  const description: TreeDescription = {};
  for (const entry of [...tree, ...plus]) {
    const path = entry.path ?? decodeFileName(Uint8Array.fromBase64(entry.path_b64!));
    if (left.has(path)) continue;
    const { path: _path, path_b64: _path64, contents, ...rest } = entry;
    const content = contents === undefined ? undefined : new TextEncoder().encode(contents);
    description[path] = {
      ...rest,
      xattrs_b64: { ...entry.xattrs_b64 },
      ...(content === undefined ? {} : { size: content.length, sha256: sha256(content), nlink: 1 }),
    };
  }
  return description;
}

/** What is below the directory `root` of the host. */
export function describeHost(root: string): TreeDescription {
  const description: TreeDescription = {};
  const firstNames = new Map<number, string>();
  const visit = (path: string) => {
    const hostPath = path === "/" ? root : root + path;
    const stat = new host.HostStat();
    host.unwrap(host.statAt(host.At.FDCWD, hostPath, stat), "stat", hostPath);
    const type = TYPES[stat.mode >> 12]!;
    description[path] = {
      type,
      mode: (stat.mode & 0o7777).toString(8).padStart(4, "0"),
      uid: stat.uid,
      gid: stat.gid,
      mtime: { secs: stat.mtimeSeconds, nanos: stat.mtimeNanoseconds },
      xattrs_b64: xattrsOf(hostPath),
      ...particulars(type, stat, hostPath, path, firstNames),
    };
    if (type !== "dir") return;
    for (const name of listNames(hostPath)) visit(path === "/" ? `/${name}` : `${path}/${name}`);
  };
  visit("/");
  return description;
}

function particulars(
  type: string,
  stat: host.HostStat,
  hostPath: string,
  path: string,
  firstNames: Map<number, string>,
): Record<string, unknown> {
  if (type === "symlink") {
    const target = host.readlinkAt(host.At.FDCWD, hostPath);
    return { target: typeof target === "number" ? target : decodeFileName(target) };
  }
  if (type === "char" || type === "block") {
    const major = stat.rdev >> 8 & 0xfff;
    return { major, minor: stat.rdev & 0xff | stat.rdev >> 12 & 0xfff00 };
  }
  if (type !== "file") return {};
  const content = readFile(hostPath, stat.size);
  if (stat.nlink > 1 && !firstNames.has(stat.ino)) firstNames.set(stat.ino, path);
  return {
    size: stat.size,
    sha256: sha256(content),
    nlink: stat.nlink,
    ...(stat.nlink > 1 ? { hardlink_group: firstNames.get(stat.ino) } : {}),
  };
}

function xattrsOf(path: string): Record<string, string> {
  const names = host.listLinkXattr(path);
  const xattrs: Record<string, string> = {};
  if (typeof names === "number") return xattrs;
  for (const name of new TextDecoder().decode(names).split("\0").filter((text) => text !== "")) {
    const value = host.getLinkXattr(path, name);
    if (typeof value !== "number") xattrs[name] = value.toBase64();
  }
  return xattrs;
}

function listNames(path: string): string[] {
  const fd = host.unwrap(host.open(path, host.OpenFlag.RDONLY), "open", path);
  const buffer = new Uint8Array(64 << 10);
  const view = new DataView(buffer.buffer);
  const names: Uint8Array[] = [];
  for (let size = host.getdents(fd, buffer); size > 0; size = host.getdents(fd, buffer)) {
    for (let offset = 0; offset < size; offset += view.getUint16(offset + 16, true)) {
      names.push(buffer.slice(offset + 19, buffer.indexOf(0, offset + 19)));
    }
  }
  host.close(fd);
  return names.map((name) => decodeFileName(name)).filter((name) => name !== "." && name !== "..")
    .sort((a, b) => compare(encodeFileName(a), encodeFileName(b)));
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const index = a.findIndex((byte, at) => byte !== b[at]);
  return index < 0 ? a.length - b.length : a[index]! - (b[index] ?? -1);
}

function readFile(path: string, size: number): Uint8Array {
  const fd = host.unwrap(host.open(path, host.OpenFlag.RDONLY), "open", path);
  const { bytes, address } = host.allocateNativeBuffer(Math.max(size, 1));
  const count = host.preadFully(fd, address, size, 0);
  host.close(fd);
  return bytes.subarray(0, host.unwrap(count, "read", path));
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
