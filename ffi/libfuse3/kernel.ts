/**
 * The kernel's FUSE protocol (7.36 and later): opcodes, flags and layouts of requests and answers.
 * The layouts are the same on x86-64 and arm64. Offsets are relative to the start of the structure;
 * a request's body follows its header, an answer's body its own. All integers are little-endian.
 *
 * @module
 */

/** Request codes. */
export const Opcode = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
  COPY_FILE_RANGE_64: 53,
} as const;

/** One more than the highest code of {@link Opcode}. */
export const OPCODE_COUNT = 54;

/** Lower-case name of each request code, by code (`read`, `copy_file_range_64`). */
export const OPCODE_NAMES: readonly (string | undefined)[] = nameTable(Opcode, OPCODE_COUNT);

function nameTable(codes: Record<string, number>, count: number): (string | undefined)[] {
  const names = new Array<string | undefined>(count).fill(undefined);
  for (const [name, code] of Object.entries(codes)) names[code] = name.toLowerCase();
  return names;
}

/** Bits of the INIT request and answer: `flags`, and from 32 on `flags2`. */
export const InitFlag = {
  ASYNC_READ: 0,
  POSIX_LOCKS: 1,
  FILE_OPS: 2,
  ATOMIC_O_TRUNC: 3,
  EXPORT_SUPPORT: 4,
  BIG_WRITES: 5,
  DONT_MASK: 6,
  SPLICE_WRITE: 7,
  SPLICE_MOVE: 8,
  SPLICE_READ: 9,
  FLOCK_LOCKS: 10,
  HAS_IOCTL_DIR: 11,
  AUTO_INVAL_DATA: 12,
  DO_READDIRPLUS: 13,
  READDIRPLUS_AUTO: 14,
  ASYNC_DIO: 15,
  WRITEBACK_CACHE: 16,
  NO_OPEN_SUPPORT: 17,
  PARALLEL_DIROPS: 18,
  HANDLE_KILLPRIV: 19,
  POSIX_ACL: 20,
  ABORT_ERROR: 21,
  MAX_PAGES: 22,
  CACHE_SYMLINKS: 23,
  NO_OPENDIR_SUPPORT: 24,
  EXPLICIT_INVAL_DATA: 25,
  MAP_ALIGNMENT: 26,
  SUBMOUNTS: 27,
  HANDLE_KILLPRIV_V2: 28,
  SETXATTR_EXT: 29,
  INIT_EXT: 30,
  SECURITY_CTX: 32,
  HAS_INODE_DAX: 33,
  CREATE_SUPP_GROUP: 34,
  HAS_EXPIRE_ONLY: 35,
  DIRECT_IO_ALLOW_MMAP: 36,
  PASSTHROUGH: 37,
  NO_EXPORT_SUPPORT: 38,
  HAS_RESEND: 39,
  ALLOW_IDMAP: 40,
  OVER_IO_URING: 41,
  REQUEST_TIMEOUT: 42,
} as const;

/** Name of a bit of {@link InitFlag}. */
export type InitFlagName = keyof typeof InitFlag;

/** The names of the bits set in an INIT's two flag words, for logs. */
export function initFlagNames(flags: number, flags2: number): InitFlagName[] {
  return (Object.keys(InitFlag) as InitFlagName[]).filter((name) => {
    const bit = InitFlag[name];
    return bit < 32 ? (flags >>> bit & 1) === 1 : (flags2 >>> (bit - 32) & 1) === 1;
  });
}

/** `open_out.open_flags`. */
export const OpenAnswerFlag = {
  DIRECT_IO: 1,
  KEEP_CACHE: 2,
  CACHE_DIR: 8,
  PASSTHROUGH: 128,
} as const;

/** `open_in.open_flags`: clear set-user-id and set-group-id together with O_TRUNC. */
export const OPEN_KILL_SUIDGID = 1;

/** `write_in.write_flags`: clear set-user-id and set-group-id. */
export const WRITE_KILL_SUIDGID = 4;

/** `fsync_in.fsync_flags`: data only. */
export const FSYNC_DATA_ONLY = 1;

/** struct fuse_in_header. */
export const InHeader = {
  LEN: 0,
  OPCODE: 4,
  UNIQUE: 8,
  NODEID: 16,
  UID: 24,
  GID: 28,
  PID: 32,
  SIZE: 40,
} as const;

/** struct fuse_out_header. */
export const OutHeader = { LEN: 0, ERROR: 4, UNIQUE: 8, SIZE: 16 } as const;

/** struct fuse_init_in. */
export const InitIn = {
  MAJOR: 0,
  MINOR: 4,
  MAX_READAHEAD: 8,
  FLAGS: 12,
  FLAGS2: 16,
  SIZE: 64,
} as const;

/** struct fuse_init_out. */
export const InitOut = {
  MAJOR: 0,
  MINOR: 4,
  MAX_READAHEAD: 8,
  FLAGS: 12,
  MAX_BACKGROUND: 16,
  CONGESTION_THRESHOLD: 18,
  MAX_WRITE: 20,
  TIME_GRANULARITY: 24,
  MAX_PAGES: 28,
  MAP_ALIGNMENT: 30,
  FLAGS2: 32,
  MAX_STACK_DEPTH: 36,
  SIZE: 64,
} as const;

/** struct fuse_attr. */
export const Attr = {
  INO: 0,
  SIZE_BYTES: 8,
  BLOCKS: 16,
  ATIME: 24,
  MTIME: 32,
  CTIME: 40,
  ATIME_NANOSECONDS: 48,
  MTIME_NANOSECONDS: 52,
  CTIME_NANOSECONDS: 56,
  MODE: 60,
  NLINK: 64,
  UID: 68,
  GID: 72,
  RDEV: 76,
  BLOCK_SIZE: 80,
  FLAGS: 84,
  SIZE: 88,
} as const;

/** struct fuse_entry_out. */
export const EntryOut = {
  NODEID: 0,
  GENERATION: 8,
  ENTRY_VALID: 16,
  ATTR_VALID: 24,
  ENTRY_VALID_NANOSECONDS: 32,
  ATTR_VALID_NANOSECONDS: 36,
  ATTR: 40,
  SIZE: 128,
} as const;

/** struct fuse_attr_out. */
export const AttrOut = {
  VALID: 0,
  VALID_NANOSECONDS: 8,
  PADDING: 12,
  ATTR: 16,
  SIZE: 104,
} as const;

/** struct fuse_open_out. */
export const OpenOut = { FH: 0, OPEN_FLAGS: 8, BACKING_ID: 12, SIZE: 16 } as const;

/** struct fuse_dirent; the name follows, zeros fill up to a multiple of 8. */
export const Dirent = { INO: 0, OFF: 8, NAME_LENGTH: 16, TYPE: 20, NAME: 24 } as const;

/** struct fuse_direntplus: an entry answer, then a dirent. */
export const DirentPlus = { ENTRY: 0, DIRENT: 128, NAME: 152 } as const;

/** struct fuse_kstatfs. */
export const Kstatfs = {
  BLOCKS: 0,
  BLOCKS_FREE: 8,
  BLOCKS_AVAILABLE: 16,
  FILES: 24,
  FILES_FREE: 32,
  BLOCK_SIZE: 40,
  NAME_LENGTH_MAX: 44,
  FRAGMENT_SIZE: 48,
  SIZE: 80,
} as const;

/** struct fuse_setattr_in. */
export const SetattrIn = {
  VALID: 0,
  FH: 8,
  SIZE_BYTES: 16,
  ATIME: 32,
  MTIME: 40,
  CTIME: 48,
  ATIME_NANOSECONDS: 56,
  MTIME_NANOSECONDS: 60,
  MODE: 68,
  UID: 76,
  GID: 80,
  SIZE: 88,
} as const;

/** struct fuse_open_in, for files and directories. */
export const OpenIn = { FLAGS: 0, OPEN_FLAGS: 4, SIZE: 8 } as const;

/** `setxattr_in.setxattr_flags`: clear set-group-id, since the caller is not in the group. */
export const SETXATTR_ACL_KILL_SGID = 1;

/**
 * struct fuse_setxattr_in; name and value follow. Without SETXATTR_EXT it ends before
 * `setxattr_flags`.
 */
export const SetxattrIn = {
  SIZE_BYTES: 0,
  FLAGS: 4,
  SETXATTR_FLAGS: 8,
  SIZE: 16,
  SHORT_SIZE: 8,
} as const;

/** struct fuse_create_in; the name follows. */
export const CreateIn = { FLAGS: 0, MODE: 4, UMASK: 8, OPEN_FLAGS: 12, NAME: 16 } as const;

/** struct fuse_read_in, for files and directories. */
export const ReadIn = { FH: 0, OFFSET: 8, SIZE_BYTES: 16, SIZE: 40 } as const;

/** struct fuse_write_in; the data follow. */
export const WriteIn = { FH: 0, OFFSET: 8, SIZE_BYTES: 16, WRITE_FLAGS: 20, DATA: 40 } as const;

/** struct fuse_release_in, for files and directories. */
export const ReleaseIn = { FH: 0, FLAGS: 8, SIZE: 24 } as const;

/** struct fuse_fsync_in, for files and directories. */
export const FsyncIn = { FH: 0, FSYNC_FLAGS: 8, SIZE: 16 } as const;

/** struct fuse_mkdir_in; the name follows. */
export const MkdirIn = { MODE: 0, UMASK: 4, NAME: 8 } as const;

/** struct fuse_mknod_in; the name follows. */
export const MknodIn = { MODE: 0, RDEV: 4, UMASK: 8, NAME: 16 } as const;

/** struct fuse_rename_in; the old and the new name follow. */
export const RenameIn = { NEWDIR: 0, NAMES: 8 } as const;
/** struct fuse_rename2_in; the old and the new name follow. */
export const Rename2In = { NEWDIR: 0, FLAGS: 8, NAMES: 16 } as const;

/** struct fuse_getxattr_in; the name follows (not for LISTXATTR). */
export const GetxattrIn = { SIZE_BYTES: 0, NAME: 8 } as const;

/** struct fuse_forget_in. */
export const ForgetIn = { NLOOKUP: 0, SIZE: 8 } as const;

/** struct fuse_batch_forget_in, then records of node id and count. */
export const BatchForgetIn = {
  COUNT: 0,
  RECORDS: 8,
  RECORD_SIZE: 16,
  NODEID: 0,
  NLOOKUP: 8,
} as const;

/** struct fuse_flush_in. */
export const FlushIn = { FH: 0, SIZE: 24 } as const;

/** struct fuse_interrupt_in: the id of the request that is meant. */
export const InterruptIn = { UNIQUE: 0, SIZE: 8 } as const;

/** struct fuse_link_in; the new name follows. */
export const LinkIn = { OLDNODEID: 0, NAME: 8 } as const;

/** struct fuse_fallocate_in. */
export const FallocateIn = { FH: 0, OFFSET: 8, LENGTH: 16, MODE: 24, SIZE: 32 } as const;

/** struct fuse_lseek_in. */
export const LseekIn = { FH: 0, OFFSET: 8, WHENCE: 16, SIZE: 24 } as const;

/** struct fuse_copy_file_range_in. */
export const CopyFileRangeIn = {
  FH_IN: 0,
  OFFSET_IN: 8,
  NODEID_OUT: 16,
  FH_OUT: 24,
  OFFSET_OUT: 32,
  LENGTH: 40,
  FLAGS: 48,
  SIZE: 56,
} as const;

/**
 * Codes of messages to the kernel that answer no request: `error` of a header whose `unique` is 0.
 */
export const Notification = { INVALIDATE_INODE: 2, RETRIEVE: 5 } as const;

/** struct fuse_notify_inval_inode_out. An offset below 0 means the attributes alone. */
export const InvalidateInodeOut = { INO: 0, OFFSET: 8, LENGTH: 16, SIZE: 24 } as const;

/** struct fuse_notify_retrieve_out. */
export const RetrieveOut = { UNIQUE: 0, NODEID: 8, OFFSET: 16, SIZE_BYTES: 24, SIZE: 32 } as const;

/** struct fuse_write_out, fuse_getxattr_out (a count and padding) and fuse_lseek_out (64 bits). */
export const CountOut = { COUNT: 0, SIZE: 8 } as const;
