/**
 * C structures that libfuse3 and this program exchange. Figures recorded from the C compiler for
 * libfuse 3.14, 3.17 and 3.18; `tests/ffi/libfuse3/structs_test.ts` holds them against each other.
 *
 * Only structures whose layout is the same in all versions for the fields used here appear in
 * handlers:
 * - of `fuse_file_info` the flags and the handle (its other flags moved between 3.14.1 and 3.17);
 * - of `fuse_buf` everything but `mem_size`, which 3.17 added at the end.
 *
 * @module
 */

/** A field of a C structure. */
export interface Field {
  readonly offset: number;
  readonly type: "u16" | "i32" | "u32" | "i64" | "u64" | "pointer";
}

/** A C structure. */
export interface StructLayout {
  readonly size: number;
  readonly fields: { readonly [name: string]: Field };
}

/** `struct fuse_args`. */
export const FUSE_ARGS = {
  size: 24,
  fields: {
    argc: { offset: 0, type: "i32" },
    argv: { offset: 8, type: "pointer" },
    allocated: { offset: 16, type: "i32" },
  },
} as const satisfies StructLayout;

/** `struct libfuse_version` (3.17 and later). */
export const LIBFUSE_VERSION = {
  size: 16,
  fields: {
    major: { offset: 0, type: "u32" },
    minor: { offset: 4, type: "u32" },
    hotfix: { offset: 8, type: "u32" },
    padding: { offset: 12, type: "u32" },
  },
} as const satisfies StructLayout;

/** `struct fuse_buf` of 3.17 and later: 48 bytes; before, 40 bytes without `mem_size`. */
export const FUSE_BUF = {
  size: 48,
  fields: {
    size: { offset: 0, type: "u64" },
    flags: { offset: 8, type: "i32" },
    mem: { offset: 16, type: "pointer" },
    fd: { offset: 24, type: "i32" },
    pos: { offset: 32, type: "i64" },
    mem_size: { offset: 40, type: "u64" },
  },
} as const satisfies StructLayout;

/** `struct fuse_file_info` up to 3.16 (40 bytes). */
export const FUSE_FILE_INFO_40 = {
  size: 40,
  fields: {
    flags: { offset: 0, type: "i32" },
    bits: { offset: 4, type: "u32" },
    fh: { offset: 16, type: "u64" },
    lock_owner: { offset: 24, type: "u64" },
    poll_events: { offset: 32, type: "u32" },
  },
} as const satisfies StructLayout;

/** `struct fuse_file_info` from 3.17 on (64 bytes). */
export const FUSE_FILE_INFO_64 = {
  size: 64,
  fields: {
    ...FUSE_FILE_INFO_40.fields,
    backing_id: { offset: 36, type: "i32" },
    compat_flags: { offset: 40, type: "u64" },
  },
} as const satisfies StructLayout;

/** `struct fuse_forget_data`. */
export const FUSE_FORGET_DATA = {
  size: 16,
  fields: {
    ino: { offset: 0, type: "u64" },
    nlookup: { offset: 8, type: "u64" },
  },
} as const satisfies StructLayout;

/** `struct stat` on x86-64. */
export const STAT_X86_64 = {
  size: 144,
  fields: {
    st_dev: { offset: 0, type: "u64" },
    st_ino: { offset: 8, type: "u64" },
    st_nlink: { offset: 16, type: "u64" },
    st_mode: { offset: 24, type: "u32" },
    st_uid: { offset: 28, type: "u32" },
    st_gid: { offset: 32, type: "u32" },
    st_rdev: { offset: 40, type: "u64" },
    st_size: { offset: 48, type: "i64" },
    st_blksize: { offset: 56, type: "i64" },
    st_blocks: { offset: 64, type: "i64" },
    st_atim: { offset: 72, type: "i64" },
    st_mtim: { offset: 88, type: "i64" },
    st_ctim: { offset: 104, type: "i64" },
  },
} as const satisfies StructLayout;

/** `struct stat` on aarch64. */
export const STAT_AARCH64 = {
  size: 128,
  fields: {
    st_dev: { offset: 0, type: "u64" },
    st_ino: { offset: 8, type: "u64" },
    st_mode: { offset: 16, type: "u32" },
    st_nlink: { offset: 20, type: "u32" },
    st_uid: { offset: 24, type: "u32" },
    st_gid: { offset: 28, type: "u32" },
    st_rdev: { offset: 32, type: "u64" },
    st_size: { offset: 48, type: "i64" },
    st_blksize: { offset: 56, type: "i32" },
    st_blocks: { offset: 64, type: "i64" },
    st_atim: { offset: 72, type: "i64" },
    st_mtim: { offset: 88, type: "i64" },
    st_ctim: { offset: 104, type: "i64" },
  },
} as const satisfies StructLayout;

/** `struct stat` of the processor this runs on. */
export const STAT: typeof STAT_X86_64 | typeof STAT_AARCH64 = Deno.build.arch === "aarch64"
  ? STAT_AARCH64
  : STAT_X86_64;
