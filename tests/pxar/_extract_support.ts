/**
 * Archives in memory, and directories compared with archives.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as host from "#ffi/libc/calls.ts";
import { setFileFlags } from "#ffi/libc/extract.ts";
import { getFileFlags } from "#ffi/libc/metadata.ts";
import type { SequentialSource } from "#src/io/streams.ts";
import { PxarDecoder, PxarEncoder, type PxarEntry } from "#src/pxar/mod.ts";
import { encodeAccessAcl, encodeDefaultAcl, NO_ACL } from "#src/bytes/acl.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { FileType } from "#src/tree/node.ts";
import { attributesOfFlags, CHATTR_FLAGS } from "#src/pxar/format/flags.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";
import { joinDeviceNumber } from "#src/bytes/device_number.ts";

/** Metadata of a test's entry. */
export function metadata(mode: number, changes: Partial<Metadata> = {}): Metadata {
  return {
    mode,
    flags: 0n,
    uid: host.getEffectiveUid(),
    gid: host.getEffectiveGid(),
    mtime: { seconds: 1_600_000_000, nanoseconds: 123_456_789 },
    xattrs: [],
    acl: NO_ACL,
    fcaps: undefined,
    projectId: 0n,
    ...changes,
  };
}

/** Shorthands for metadata of plain entries. */
export const DIRECTORY = (changes?: Partial<Metadata>) => metadata(0o040755, changes);
/** A regular file's metadata. */
export const FILE = (changes?: Partial<Metadata>) => metadata(0o100644, changes);
/** A symbolic link's metadata. */
export const SYMLINK = (changes?: Partial<Metadata>) => metadata(0o120777, changes);

/** UTF-8 bytes. */
export function text(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

/** Encodes an archive of version 1 in memory. */
export function archiveOf(
  build: (encoder: PxarEncoder) => void,
  root: Metadata = DIRECTORY(),
): Uint8Array {
  const parts: Uint8Array[] = [];
  const encoder = new PxarEncoder({ write: (bytes) => void parts.push(bytes.slice()) }, { root });
  build(encoder);
  encoder.finish();
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** Bytes as a stream. */
export function streamOf(bytes: Uint8Array): SequentialSource {
  let position = 0;
  return {
    read(target) {
      const part = bytes.subarray(position, position + target.length);
      target.set(part);
      position += part.length;
      return part.length;
    },
    skip(size) {
      const count = Math.min(size, bytes.length - position);
      position += count;
      return count;
    },
  };
}

/** A decoder over bytes. */
export function decoderOf(archive: Uint8Array, payload?: Uint8Array): PxarDecoder {
  const options = payload === undefined ? {} : { payload: streamOf(payload) };
  return new PxarDecoder(streamOf(archive), options);
}

/** What is known of a file on the host. */
export interface Found {
  readonly stat: host.HostStat;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  /** Of files and directories. */
  readonly attributes: number;
}

/** Looks at a file without following links. */
export function look(path: string): Found {
  const stat = new host.HostStat();
  host.unwrap(host.statAt(host.At.FDCWD, path, stat), "stat", path);
  const names = host.listLinkXattr(path);
  const xattrs = new Map<string, Uint8Array>();
  if (typeof names !== "number") {
    for (const name of decodeFileName(names).split("\0").filter((name) => name !== "")) {
      xattrs.set(name, host.getLinkXattr(path, name) as Uint8Array);
    }
  }
  return { stat, xattrs, attributes: attributesOf(path, stat) };
}

function attributesOf(path: string, stat: host.HostStat): number {
  const type = stat.mode & FileType.MASK;
  if (type !== FileType.FILE && type !== FileType.DIRECTORY) return 0;
  const fd = host.open(path, host.OpenFlag.RDONLY | host.OpenFlag.NOFOLLOW);
  if (fd < 0) return 0;
  try {
    return Math.max(0, getFileFlags(fd));
  } finally {
    host.close(fd);
  }
}

/** What {@link assertRestored} does not look at. */
export interface Unchecked {
  /** Steps of problems that the extraction reported: what belongs to them is not compared. */
  readonly steps?: ReadonlySet<string>;
}

/** Asserts that a directory has exactly what an archive says. */
export function assertRestored(
  directory: string,
  archive: Uint8Array,
  payload?: Uint8Array,
  unchecked: Unchecked = {},
): void {
  const decoder = decoderOf(archive, payload);
  const inodes = new Map<string, number>();
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
    if (event.type !== "entry") continue;
    const path = `${directory}${event.path}`;
    const found = look(path);
    if (event.entry.kind === "hardlink") {
      assert.equal(found.stat.ino, inodes.get(`/${event.entry.targetPath}`), event.path);
      continue;
    }
    inodes.set(event.path, found.stat.ino);
    assertMetadata(event.path, found, event.entry, unchecked.steps ?? new Set());
    if (event.entry.kind === "file") assertContent(path, event.entry.payload.size, decoder);
    if (event.entry.kind === "symlink") {
      const target = host.readlinkAt(host.At.FDCWD, path) as Uint8Array;
      assert.equal(decodeFileName(target), event.entry.target);
    }
    if (event.entry.kind === "device") {
      const { major, minor } = event.entry;
      assert.equal(BigInt(found.stat.rdev), joinDeviceNumber({ major, minor }), event.path);
    }
  }
}

function assertMetadata(
  path: string,
  { stat, xattrs, attributes }: Found,
  { metadata: wanted }: PxarEntry,
  unchecked: ReadonlySet<string>,
): void {
  const isLink = (wanted.mode & FileType.MASK) === FileType.SYMLINK;
  const mode = isLink ? stat.mode | 0o777 : stat.mode;
  assert.equal(mode.toString(8), (isLink ? 0o120777 : wanted.mode).toString(8), path);
  if (!unchecked.has("set owner of")) {
    assert.deepEqual([stat.uid, stat.gid], [wanted.uid, wanted.gid], path);
  }
  assert.deepEqual(
    { seconds: stat.mtimeSeconds, nanoseconds: stat.mtimeNanoseconds },
    wanted.mtime,
    path,
  );
  const expected = new Map(wanted.xattrs.map(({ name, value }) => [name, value]));
  const access = encodeAccessAcl(wanted.acl, wanted.mode);
  const defaults = encodeDefaultAcl(wanted.acl);
  if (access !== undefined) expected.set("system.posix_acl_access", access);
  if (defaults !== undefined) expected.set("system.posix_acl_default", defaults);
  if (wanted.fcaps !== undefined) expected.set("security.capability", wanted.fcaps);
  const sorted = (map: ReadonlyMap<string, Uint8Array>) =>
    [...map].map(([name, value]) => `${name}=${value.toHex()}`).sort();
  if (!unchecked.has("xattrs")) assert.deepEqual(sorted(xattrs), sorted(expected), path);
  if (unchecked.has("set attributes of") || wanted.flags === 0n) return;
  const wantedAttributes = attributesOfFlags(CHATTR_FLAGS, wanted.flags);
  assert.equal(attributes & wantedAttributes, wantedAttributes, path);
}

function assertContent(path: string, size: number, decoder: PxarDecoder): void {
  const stored = new Uint8Array(size);
  for (let filled = 0; filled < size;) {
    filled += decoder.readContent(stored.subarray(filled));
  }
  // The runtime's own calls take no names that are not UTF-8.
  const restored = host.readSmallFile(path, size + 1);
  assert.ok(typeof restored !== "number", path);
  assert.equal(Buffer.compare(stored, restored), 0, `${path}: content`);
}

/** All names below a directory with what a change of them would change; links are not followed. */
export function snapshot(directory: string): string[] {
  const lines: string[] = [];
  const visit = (path: string) => {
    const { stat } = look(path);
    lines.push(
      [path, stat.mode, stat.uid, stat.gid, stat.size, stat.nlink, stat.mtimeSeconds]
        .concat([stat.mtimeNanoseconds, stat.ctimeSeconds, stat.ctimeNanoseconds]).join(" "),
    );
    if ((stat.mode & FileType.MASK) !== FileType.DIRECTORY) return;
    for (const { name } of [...Deno.readDirSync(path)].sort((a, b) => a.name < b.name ? -1 : 1)) {
      visit(`${path}/${name}`);
    }
  };
  visit(directory);
  return lines;
}

/** Takes attributes like "immutable" off, so that the directory can be removed. */
export function clearAttributes(directory: string): void {
  const visit = (path: string) => {
    const fd = host.open(
      path,
      host.OpenFlag.RDONLY | host.OpenFlag.NOFOLLOW | host.OpenFlag.NONBLOCK,
    );
    if (fd < 0) return;
    const attributes = getFileFlags(fd);
    if (attributes > 0 && (attributes & 0x30) !== 0) setFileFlags(fd, attributes & ~0x30);
    host.close(fd);
    if (!Deno.lstatSync(path).isDirectory) return;
    for (const { name } of Deno.readDirSync(path)) visit(`${path}/${name}`);
  };
  visit(directory);
}
