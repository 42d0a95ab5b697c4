/**
 * `struct fuse_lowlevel_ops`: the table of callbacks a session is made with. The slot numbers are
 * the same in all versions and on all processors; a null slot makes libfuse answer ENOSYS by
 * itself.
 *
 * Callbacks take pointers that libfuse points into the request (names, data) as plain addresses
 * (`usize`), those to structures on libfuse's stack as pointers.
 *
 * @module
 */

/** A callback's slot in the table and its C signature. Every callback returns void. */
interface Slot {
  readonly slot: number;
  readonly parameters: readonly ("pointer" | "usize" | "u64" | "i64" | "u32" | "i32")[];
}

/**
 * The operations that this program implements. Not among them, and therefore left to the kernel or
 * answered ENOSYS: locks (`getlk`, `setlk`, `flock`: the kernel keeps them itself), `write_buf`
 * (would put requests into pipes), `bmap`, `poll`, `retrieve_reply`, `tmpfile`, `statx`, `syncfs`.
 */
export const SLOTS = {
  /** (req, parent, const char *name) */
  lookup: { slot: 2, parameters: ["pointer", "u64", "usize"] },
  /** (req, ino, nlookup) */
  forget: { slot: 3, parameters: ["pointer", "u64", "u64"] },
  /** (req, ino, struct fuse_file_info *fi, may be null) */
  getattr: { slot: 4, parameters: ["pointer", "u64", "pointer"] },
  /** (req, ino, struct stat *attr, int to_set, struct fuse_file_info *fi) */
  setattr: { slot: 5, parameters: ["pointer", "u64", "pointer", "i32", "pointer"] },
  /** (req, ino) */
  readlink: { slot: 6, parameters: ["pointer", "u64"] },
  /** (req, parent, const char *name, mode_t mode, dev_t rdev) */
  mknod: { slot: 7, parameters: ["pointer", "u64", "usize", "u32", "u64"] },
  /** (req, parent, const char *name, mode_t mode) */
  mkdir: { slot: 8, parameters: ["pointer", "u64", "usize", "u32"] },
  /** (req, parent, const char *name) */
  unlink: { slot: 9, parameters: ["pointer", "u64", "usize"] },
  /** (req, parent, const char *name) */
  rmdir: { slot: 10, parameters: ["pointer", "u64", "usize"] },
  /** (req, const char *link, parent, const char *name) */
  symlink: { slot: 11, parameters: ["pointer", "usize", "u64", "usize"] },
  /** (req, parent, const char *name, newparent, const char *newname, unsigned flags) */
  rename: { slot: 12, parameters: ["pointer", "u64", "usize", "u64", "usize", "u32"] },
  /** (req, ino, newparent, const char *newname) */
  link: { slot: 13, parameters: ["pointer", "u64", "u64", "usize"] },
  /** (req, ino, fi) */
  open: { slot: 14, parameters: ["pointer", "u64", "pointer"] },
  /** (req, ino, size_t size, off_t off, fi) */
  read: { slot: 15, parameters: ["pointer", "u64", "usize", "i64", "pointer"] },
  /** (req, ino, const char *buf, size_t size, off_t off, fi) */
  write: { slot: 16, parameters: ["pointer", "u64", "usize", "usize", "i64", "pointer"] },
  /** (req, ino, fi) */
  flush: { slot: 17, parameters: ["pointer", "u64", "pointer"] },
  /** (req, ino, fi) */
  release: { slot: 18, parameters: ["pointer", "u64", "pointer"] },
  /** (req, ino, int datasync, fi) */
  fsync: { slot: 19, parameters: ["pointer", "u64", "i32", "pointer"] },
  /** (req, ino, fi) */
  opendir: { slot: 20, parameters: ["pointer", "u64", "pointer"] },
  /** (req, ino, size_t size, off_t off, fi) */
  readdir: { slot: 21, parameters: ["pointer", "u64", "usize", "i64", "pointer"] },
  /** (req, ino, fi) */
  releasedir: { slot: 22, parameters: ["pointer", "u64", "pointer"] },
  /** (req, ino, int datasync, fi) */
  fsyncdir: { slot: 23, parameters: ["pointer", "u64", "i32", "pointer"] },
  /** (req, ino) */
  statfs: { slot: 24, parameters: ["pointer", "u64"] },
  /** (req, ino, const char *name, const char *value, size_t size, int flags) */
  setxattr: { slot: 25, parameters: ["pointer", "u64", "usize", "usize", "usize", "i32"] },
  /** (req, ino, const char *name, size_t size) */
  getxattr: { slot: 26, parameters: ["pointer", "u64", "usize", "usize"] },
  /** (req, ino, size_t size) */
  listxattr: { slot: 27, parameters: ["pointer", "u64", "usize"] },
  /** (req, ino, const char *name) */
  removexattr: { slot: 28, parameters: ["pointer", "u64", "usize"] },
  /** (req, ino, int mask) */
  access: { slot: 29, parameters: ["pointer", "u64", "i32"] },
  /** (req, parent, const char *name, mode_t mode, fi) */
  create: { slot: 30, parameters: ["pointer", "u64", "usize", "u32", "pointer"] },
  /**
   * (req, ino, unsigned cmd, void *arg, fi, unsigned flags, const void *in, size_t in_size, size_t
   * out_size)
   */
  ioctl: {
    slot: 34,
    parameters: ["pointer", "u64", "u32", "usize", "pointer", "u32", "usize", "usize", "usize"],
  },
  /** (req, size_t count, struct fuse_forget_data *forgets) */
  forget_multi: { slot: 38, parameters: ["pointer", "usize", "usize"] },
  /** (req, ino, int mode, off_t offset, off_t length, fi) */
  fallocate: { slot: 40, parameters: ["pointer", "u64", "i32", "i64", "i64", "pointer"] },
  /** (req, ino, size_t size, off_t off, fi) */
  readdirplus: { slot: 41, parameters: ["pointer", "u64", "usize", "i64", "pointer"] },
  /** (req, ino_in, off_in, fi_in, ino_out, off_out, fi_out, size_t len, int flags) */
  copy_file_range: {
    slot: 42,
    parameters: ["pointer", "u64", "i64", "pointer", "u64", "i64", "pointer", "usize", "i32"],
  },
  /** (req, ino, off_t off, int whence, fi) */
  lseek: { slot: 43, parameters: ["pointer", "u64", "i64", "i32", "pointer"] },
} as const satisfies { readonly [operation: string]: Slot };

/** Name of an implemented operation. */
export type OperationName = keyof typeof SLOTS;

/** Slots of libfuse 3.16; later versions accept a shorter table. */
const SLOT_COUNT = 44;

type Argument<T> = T extends "pointer" ? Deno.PointerValue
  : T extends "i32" | "u32" ? number
  : bigint;

type Arguments<T extends readonly string[]> = { -readonly [I in keyof T]: Argument<T[I]> };

/** One function for each operation, with the arguments C passes. None may throw. */
export type OperationCallbacks = {
  [N in OperationName]: (...args: Arguments<(typeof SLOTS)[N]["parameters"]>) => void;
};

/** The table and all it points to. The owner keeps it reachable as long as a session uses it. */
export interface OperationsTable {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly callbacks: readonly Deno.UnsafeCallback[];
}

/** Makes the table that C calls into; without `implementation` a table of null slots. */
export function makeOperationsTable(implementation?: OperationCallbacks): OperationsTable {
  const slots = new BigUint64Array(SLOT_COUNT);
  const callbacks: Deno.UnsafeCallback[] = [];
  if (implementation !== undefined) {
    for (const name of Object.keys(SLOTS) as OperationName[]) {
      const callback = new Deno.UnsafeCallback(
        { parameters: [...SLOTS[name].parameters], result: "void" },
        // The signature is the one just given; the types cannot follow it through the loop.
        implementation[name] as (...args: unknown[]) => void,
      );
      callbacks.push(callback as unknown as Deno.UnsafeCallback);
      slots[SLOTS[name].slot] = Deno.UnsafePointer.value(callback.pointer);
    }
  }
  return { bytes: new Uint8Array(slots.buffer), callbacks };
}
