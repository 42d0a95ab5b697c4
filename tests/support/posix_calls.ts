/**
 * System calls for the POSIX suite, straight from libc. It shares no code with the program under
 * test, and it reaches what Deno's own file API hides: exact errnos, flags, holes, names that are
 * not UTF-8.
 *
 * Every call throws {@link OsError} when it fails. All calls block: never use them in a process
 * that serves the mount they go to.
 *
 * @module
 */

import { Errno, OsError } from "#ffi/os_error.ts";

const isArm64 = Deno.build.arch === "aarch64";

/** Flags of open(2); three of them differ between x86-64 and arm64. */
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  DIRECT: isArm64 ? 0o200000 : 0o40000,
  DIRECTORY: isArm64 ? 0o40000 : 0o200000,
  NOFOLLOW: isArm64 ? 0o100000 : 0o400000,
} as const;

/** `whence` of {@link lseek}. */
export const Seek = { SET: 0, CUR: 1, END: 2, DATA: 3, HOLE: 4 } as const;

/** Flags of {@link fallocate}. */
export const Fallocate = { KEEP_SIZE: 1, PUNCH_HOLE: 2, ZERO_RANGE: 16 } as const;

/** Flags of {@link rename}. */
export const Rename = { NOREPLACE: 1, EXCHANGE: 2 } as const;

/** Flags of {@link setxattr}. */
export const Xattr = { CREATE: 1, REPLACE: 2 } as const;

/** Operations of {@link flock}. */
export const Flock = { SHARED: 1, EXCLUSIVE: 2, NONBLOCK: 4, UNLOCK: 8 } as const;

/** Lock types of {@link setRecordLock}. */
export const RecordLock = { READ: 0, WRITE: 1, UNLOCK: 2 } as const;

/** The file type part of `mode`. */
export const FileType = {
  MASK: 0o170000,
  FIFO: 0o010000,
  DIRECTORY: 0o040000,
  REGULAR: 0o100000,
  SYMLINK: 0o120000,
  SOCKET: 0o140000,
} as const;

/** Numbers for {@link utimensat} that are not a time. */
export const UtimeNow = { seconds: 0n, nanoseconds: 0x3fffffffn } as const;
/** Leaves that time as it is. */
export const UtimeOmit = { seconds: 0n, nanoseconds: 0x3ffffffen } as const;

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_SYMLINK_FOLLOW = 0x400;
const AT_EMPTY_PATH = 0x1000;

const symbols = {
  __errno_location: { parameters: [], result: "pointer" },
  // C's variadic integer arguments travel like ordinary ones on x86-64 and arm64.
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  pread: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  pwrite: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  fsync: { parameters: ["i32"], result: "i32" },
  fdatasync: { parameters: ["i32"], result: "i32" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  truncate: { parameters: ["buffer", "i64"], result: "i32" },
  unlink: { parameters: ["buffer"], result: "i32" },
  mkdir: { parameters: ["buffer", "u32"], result: "i32" },
  rmdir: { parameters: ["buffer"], result: "i32" },
  renameat2: { parameters: ["i32", "buffer", "i32", "buffer", "u32"], result: "i32" },
  linkat: { parameters: ["i32", "buffer", "i32", "buffer", "i32"], result: "i32" },
  symlink: { parameters: ["buffer", "buffer"], result: "i32" },
  readlink: { parameters: ["buffer", "buffer", "usize"], result: "isize" },
  mknod: { parameters: ["buffer", "u32", "u64"], result: "i32" },
  chmod: { parameters: ["buffer", "u32"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  lchown: { parameters: ["buffer", "u32", "u32"], result: "i32" },
  access: { parameters: ["buffer", "i32"], result: "i32" },
  umask: { parameters: ["u32"], result: "u32" },
  utimensat: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  statvfs: { parameters: ["buffer", "buffer"], result: "i32" },
  getdents64: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  setxattr: { parameters: ["buffer", "buffer", "buffer", "usize", "i32"], result: "i32" },
  getxattr: { parameters: ["buffer", "buffer", "buffer", "usize"], result: "isize" },
  listxattr: { parameters: ["buffer", "buffer", "usize"], result: "isize" },
  removexattr: { parameters: ["buffer", "buffer"], result: "i32" },
  fallocate: { parameters: ["i32", "i32", "i64", "i64"], result: "i32" },
  copy_file_range: {
    parameters: ["i32", "buffer", "i32", "buffer", "usize", "u32"],
    result: "isize",
  },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  msync: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Libc = Deno.DynamicLibrary<typeof symbols>["symbols"];

let loaded: { libc: Libc; errno: Deno.UnsafePointerView } | undefined;

function load(): { libc: Libc; errno: Deno.UnsafePointerView } {
  if (loaded === undefined) {
    const libc = Deno.dlopen("libc.so.6", symbols).symbols;
    const location = libc.__errno_location();
    if (location === null) throw new Error("Cannot find errno");
    // The location belongs to this thread, and each thread has its own copy of this module.
    loaded = { libc, errno: new Deno.UnsafePointerView(location) };
  }
  return loaded;
}

/** A path; bytes are for names that are not UTF-8. */
export type Path = string | Uint8Array;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function cString(path: Path): Uint8Array<ArrayBuffer> {
  const bytes = typeof path === "string" ? encoder.encode(path) : path;
  const terminated = new Uint8Array(bytes.length + 1);
  terminated.set(bytes);
  return terminated;
}

function shown(path: Path | number): string {
  if (typeof path === "number") return `descriptor ${path}`;
  return typeof path === "string" ? path : decoder.decode(path);
}

function checked(result: number | bigint, call: string, path: Path | number): number {
  if (result < 0) throw new OsError(load().errno.getInt32(), call, shown(path));
  return Number(result);
}

/** `directory/name` for a name of raw bytes. */
export function joinBytes(directory: string, name: Uint8Array): Uint8Array {
  const prefix = encoder.encode(`${directory}/`);
  const path = new Uint8Array(prefix.length + name.length);
  path.set(prefix);
  path.set(name, prefix.length);
  return path;
}

/** open(2). The caller closes the descriptor. */
export function open(path: Path, flags: number, mode = 0o644): number {
  return checked(load().libc.open(cString(path), flags, mode), "open", path);
}

/** close(2). */
export function close(fd: number): void {
  checked(load().libc.close(fd), "close", fd);
}

/** read(2): the number of bytes, 0 at the end. */
export function read(fd: number, target: Uint8Array<ArrayBuffer>): number {
  return checked(load().libc.read(fd, target, BigInt(target.length)), "read", fd);
}

/** write(2): the number of bytes, which may be fewer than asked. */
export function write(fd: number, source: Uint8Array<ArrayBuffer>): number {
  return checked(load().libc.write(fd, source, BigInt(source.length)), "write", fd);
}

/** pread(2). */
export function pread(fd: number, target: Uint8Array<ArrayBuffer>, offset: number): number {
  const { libc } = load();
  return checked(libc.pread(fd, target, BigInt(target.length), BigInt(offset)), "pread", fd);
}

/** pwrite(2). */
export function pwrite(fd: number, source: Uint8Array<ArrayBuffer>, offset: number): number {
  const { libc } = load();
  return checked(libc.pwrite(fd, source, BigInt(source.length), BigInt(offset)), "pwrite", fd);
}

/** lseek(2). */
export function lseek(fd: number, offset: number | bigint, whence: number): number {
  return checked(load().libc.lseek(fd, BigInt(offset), whence), "lseek", fd);
}

/** fsync(2). */
export function fsync(fd: number): void {
  checked(load().libc.fsync(fd), "fsync", fd);
}

/** fdatasync(2). */
export function fdatasync(fd: number): void {
  checked(load().libc.fdatasync(fd), "fdatasync", fd);
}

/** ftruncate(2). */
export function ftruncate(fd: number, size: number): void {
  checked(load().libc.ftruncate(fd, BigInt(size)), "ftruncate", fd);
}

/** truncate(2). */
export function truncate(path: Path, size: number): void {
  checked(load().libc.truncate(cString(path), BigInt(size)), "truncate", path);
}

/** unlink(2). */
export function unlink(path: Path): void {
  checked(load().libc.unlink(cString(path)), "unlink", path);
}

/** mkdir(2). */
export function mkdir(path: Path, mode = 0o755): void {
  checked(load().libc.mkdir(cString(path), mode), "mkdir", path);
}

/** rmdir(2). */
export function rmdir(path: Path): void {
  checked(load().libc.rmdir(cString(path)), "rmdir", path);
}

/** renameat2(2) with `flags` of {@link Rename}. */
export function rename(from: Path, to: Path, flags = 0): void {
  const { libc } = load();
  checked(
    libc.renameat2(AT_FDCWD, cString(from), AT_FDCWD, cString(to), flags),
    "rename",
    from,
  );
}

/** link(2); with `follow` the link goes to what a symbolic link points to. */
export function link(from: Path, to: Path, follow = false): void {
  const { libc } = load();
  const flags = follow ? AT_SYMLINK_FOLLOW : 0;
  checked(libc.linkat(AT_FDCWD, cString(from), AT_FDCWD, cString(to), flags), "link", to);
}

/** symlink(2). */
export function symlink(target: Path, path: Path): void {
  checked(load().libc.symlink(cString(target), cString(path)), "symlink", path);
}

/** readlink(2) as text. */
export function readlink(path: Path): string {
  const target = new Uint8Array(4096);
  const size = checked(
    load().libc.readlink(cString(path), target, BigInt(target.length)),
    "readlink",
    path,
  );
  return decoder.decode(target.subarray(0, size));
}

/** mknod(2); `mode` holds the type. */
export function mknod(path: Path, mode: number): void {
  checked(load().libc.mknod(cString(path), mode, 0n), "mknod", path);
}

/** chmod(2). */
export function chmod(path: Path, mode: number): void {
  checked(load().libc.chmod(cString(path), mode), "chmod", path);
}

/** fchmod(2). */
export function fchmod(fd: number, mode: number): void {
  checked(load().libc.fchmod(fd, mode), "fchmod", fd);
}

/** lchown(2); 0xffffffff leaves an id as it is. */
export function lchown(path: Path, uid: number, gid: number): void {
  checked(load().libc.lchown(cString(path), uid, gid), "lchown", path);
}

/** access(2); `mode` is a sum of 4 (read), 2 (write) and 1 (execute). */
export function access(path: Path, mode: number): void {
  checked(load().libc.access(cString(path), mode), "access", path);
}

/** umask(2): the mask that was in force. */
export function umask(mask: number): number {
  return load().libc.umask(mask);
}

/** A time as the kernel stores it. */
export interface Time {
  readonly seconds: bigint;
  readonly nanoseconds: bigint;
}

/** utimensat(2) without following links. */
export function utimensat(path: Path, atime: Time, mtime: Time): void {
  const times = new BigInt64Array([
    atime.seconds,
    atime.nanoseconds,
    mtime.seconds,
    mtime.nanoseconds,
  ]);
  checked(
    load().libc.utimensat(AT_FDCWD, cString(path), times, AT_SYMLINK_NOFOLLOW),
    "utimensat",
    path,
  );
}

/** What {@link stat}, {@link lstat} and {@link fstat} tell. */
export interface Stat {
  readonly mode: number;
  readonly ino: bigint;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Space in units of 512 bytes. */
  readonly blocks: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

const STATX_BASIC_STATS = 0x7ff;

function statx(dirfd: number, path: Path, flags: number, place: Path | number): Stat {
  // struct statx, linux/stat.h: 256 bytes, the same on every architecture.
  const bytes = new Uint8Array(256);
  checked(
    load().libc.statx(dirfd, cString(path), flags, STATX_BASIC_STATS, bytes),
    "stat",
    place,
  );
  const view = new DataView(bytes.buffer);
  const timeNs = (offset: number) =>
    view.getBigInt64(offset, true) * 1_000_000_000n + BigInt(view.getUint32(offset + 8, true));
  return {
    nlink: view.getUint32(16, true),
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    mode: view.getUint16(28, true),
    ino: view.getBigUint64(32, true),
    size: Number(view.getBigUint64(40, true)),
    blocks: Number(view.getBigUint64(48, true)),
    ctimeNs: timeNs(96),
    mtimeNs: timeNs(112),
  };
}

/** stat(2). */
export function stat(path: Path): Stat {
  return statx(AT_FDCWD, path, 0, path);
}

/** lstat(2). */
export function lstat(path: Path): Stat {
  return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, path);
}

/** fstat(2). */
export function fstat(fd: number): Stat {
  return statx(fd, "", AT_EMPTY_PATH, fd);
}

/** Whether a name is there; the last component is not followed. */
export function exists(path: Path): boolean {
  try {
    lstat(path);
    return true;
  } catch (error) {
    if (error instanceof OsError && error.errno === Errno.ENOENT) return false;
    throw error;
  }
}

/** Part of what statvfs(3) tells. */
export interface FileSystemStatistics {
  readonly blockSize: number;
  readonly blocks: bigint;
  readonly blocksFree: bigint;
  readonly blocksAvailable: bigint;
  readonly nameMax: number;
}

/** statvfs(3). */
export function statvfs(path: Path): FileSystemStatistics {
  const bytes = new Uint8Array(128);
  checked(load().libc.statvfs(cString(path), bytes), "statvfs", path);
  const view = new DataView(bytes.buffer);
  return {
    blockSize: Number(view.getBigUint64(0, true)),
    blocks: view.getBigUint64(16, true),
    blocksFree: view.getBigUint64(24, true),
    blocksAvailable: view.getBigUint64(32, true),
    nameMax: Number(view.getBigUint64(80, true)),
  };
}

/** One entry of {@link getdents}. */
export interface DirectoryRecord {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly ino: bigint;
  /** Position after this entry, for {@link lseek}. */
  readonly next: bigint;
  /** DT_… number: 0 unknown, 1 FIFO, 4 directory, 8 regular, 10 link, 12 socket. */
  readonly type: number;
}

/** getdents64(2): the next entries that fit in `sizeBytes`; none at the end. */
export function getdents(fd: number, sizeBytes = 32768): DirectoryRecord[] {
  const bytes = new Uint8Array(sizeBytes);
  const length = checked(load().libc.getdents64(fd, bytes, BigInt(sizeBytes)), "getdents", fd);
  const view = new DataView(bytes.buffer);
  const records: DirectoryRecord[] = [];
  for (let at = 0; at < length;) {
    const recordLength = view.getUint16(at + 16, true);
    const end = bytes.indexOf(0, at + 19);
    const nameBytes = bytes.slice(at + 19, end);
    records.push({
      ino: view.getBigUint64(at, true),
      next: view.getBigInt64(at + 8, true),
      type: bytes[at + 18] ?? 0,
      nameBytes,
      name: decoder.decode(nameBytes),
    });
    at += recordLength;
  }
  return records;
}

/** All entries of a directory but `.` and `..`, in the order of the file system. */
export function readDirectory(path: Path): DirectoryRecord[] {
  const fd = open(path, O.RDONLY | O.DIRECTORY);
  try {
    const all: DirectoryRecord[] = [];
    for (;;) {
      const some = getdents(fd);
      if (some.length === 0) return all;
      all.push(...some.filter((entry) => entry.name !== "." && entry.name !== ".."));
    }
  } finally {
    close(fd);
  }
}

/** Names of {@link readDirectory}, sorted. */
export function names(path: Path): string[] {
  return readDirectory(path).map((entry) => entry.name).sort();
}

/** setxattr(2). */
export function setxattr(path: Path, name: string, value: Uint8Array<ArrayBuffer>, flags = 0) {
  const { libc } = load();
  checked(
    libc.setxattr(cString(path), cString(name), value, BigInt(value.length), flags),
    "setxattr",
    path,
  );
}

/** getxattr(2) into `target`: the size of the value; an empty target only asks for it. */
export function getxattrInto(path: Path, name: string, target: Uint8Array<ArrayBuffer>): number {
  const { libc } = load();
  return checked(
    libc.getxattr(cString(path), cString(name), target, BigInt(target.length)),
    "getxattr",
    path,
  );
}

/** The value of an extended attribute. */
export function getxattr(path: Path, name: string): Uint8Array {
  const value = new Uint8Array(65536);
  return value.slice(0, getxattrInto(path, name, value));
}

/** listxattr(2) into `target`: the size of the list. */
export function listxattrInto(path: Path, target: Uint8Array<ArrayBuffer>): number {
  return checked(
    load().libc.listxattr(cString(path), target, BigInt(target.length)),
    "listxattr",
    path,
  );
}

/** Names of the extended attributes, sorted. */
export function listxattr(path: Path): string[] {
  const list = new Uint8Array(65536);
  const size = listxattrInto(path, list);
  return decoder.decode(list.subarray(0, size)).split("\0").filter((name) => name !== "").sort();
}

/** removexattr(2). */
export function removexattr(path: Path, name: string): void {
  checked(load().libc.removexattr(cString(path), cString(name)), "removexattr", path);
}

/** fallocate(2) with `mode` of {@link Fallocate}. */
export function fallocate(fd: number, mode: number, offset: number, size: number): void {
  checked(load().libc.fallocate(fd, mode, BigInt(offset), BigInt(size)), "fallocate", fd);
}

/** copy_file_range(2): the number of bytes copied. */
export function copyFileRange(
  from: { readonly fd: number; readonly offset: number },
  to: { readonly fd: number; readonly offset: number },
  sizeBytes: number,
): number {
  return checked(
    load().libc.copy_file_range(
      from.fd,
      new BigInt64Array([BigInt(from.offset)]),
      to.fd,
      new BigInt64Array([BigInt(to.offset)]),
      BigInt(sizeBytes),
      0,
    ),
    "copy_file_range",
    to.fd,
  );
}

/** flock(2). */
export function flock(fd: number, operation: number): void {
  checked(load().libc.flock(fd, operation), "flock", fd);
}

const F_SETLK = 6;

/** fcntl(F_SETLK): takes, changes or drops a lock on `size` bytes from `start` without waiting. */
export function setRecordLock(fd: number, type: number, start: number, size: number): void {
  // struct flock: i16 l_type, i16 l_whence, 4 bytes of padding, i64 l_start, i64 l_len, i32 l_pid
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  view.setInt16(0, type, true);
  view.setBigInt64(8, BigInt(start), true);
  view.setBigInt64(16, BigInt(size), true);
  checked(load().libc.fcntl(fd, F_SETLK, bytes), "fcntl", fd);
}

/** A shared, writable mapping of a file. */
export interface Mapping {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** msync(MS_SYNC). */
  sync(): void;
  /** munmap(2): `bytes` must not be touched afterwards. */
  unmap(): void;
}

/** mmap(2): maps `sizeBytes` from the start of the file, shared, for reading and writing. */
export function mapShared(fd: number, sizeBytes: number): Mapping {
  const PROT_READ_WRITE = 3;
  const MAP_SHARED = 1;
  const { libc } = load();
  const pointer = libc.mmap(null, BigInt(sizeBytes), PROT_READ_WRITE, MAP_SHARED, fd, 0n);
  if (pointer === null || Deno.UnsafePointer.value(pointer) === 0xffff_ffff_ffff_ffffn) {
    throw new OsError(load().errno.getInt32(), "mmap", shown(fd));
  }
  const MS_SYNC = 4;
  return {
    bytes: new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, sizeBytes)),
    sync: () => void checked(libc.msync(pointer, BigInt(sizeBytes), MS_SYNC), "msync", fd),
    unmap: () => void checked(libc.munmap(pointer, BigInt(sizeBytes)), "munmap", fd),
  };
}
