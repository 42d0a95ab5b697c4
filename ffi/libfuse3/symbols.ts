/**
 * The functions of libfuse3 that this program calls, each with its C declaration.
 *
 * The list is short on purpose: requests are read from the device and answers are sent in the
 * kernel's own layout (`fuse_reply_buf` puts any bytes behind the answer header), so none of the
 * reply functions whose structures differ between library versions and processors is needed.
 *
 * @module
 */

/**
 * Symbol table for `Deno.dlopen`. An address that comes from our own buffers is passed as `usize`.
 */
export const SYMBOLS = {
  /** int fuse_version(void) — major * 100 + minor */
  fuse_version: { parameters: [], result: "i32" },

  /** const char *fuse_pkgversion(void) */
  fuse_pkgversion: { parameters: [], result: "pointer" },

  /** Up to 3.16; still exported by 3.17+ as a compatibility symbol. */
  fuse_session_new: {
    parameters: [
      "buffer", // struct fuse_args *args
      "buffer", // const struct fuse_lowlevel_ops *op
      "usize", // size_t op_size
      "pointer", // void *userdata
    ],
    result: "pointer", // struct fuse_session *
    optional: true,
  },

  /** 3.17 and later. */
  fuse_session_new_versioned: {
    parameters: [
      "buffer", // struct fuse_args *args
      "buffer", // const struct fuse_lowlevel_ops *op
      "usize", // size_t op_size
      "buffer", // struct libfuse_version *version
      "pointer", // void *userdata
    ],
    result: "pointer", // struct fuse_session *
    optional: true,
  },

  fuse_session_mount: {
    parameters: [
      "pointer", // struct fuse_session *se
      "buffer", // const char *mountpoint
    ],
    result: "i32", // 0, or -1 with a message on stderr
  },

  fuse_session_fd: {
    parameters: [
      "pointer", // struct fuse_session *se
    ],
    result: "i32",
  },

  fuse_session_process_buf: {
    parameters: [
      "pointer", // struct fuse_session *se
      "buffer", // const struct fuse_buf *buf
    ],
    result: "void",
  },

  fuse_session_unmount: {
    parameters: [
      "pointer", // struct fuse_session *se
    ],
    result: "void",
  },

  fuse_session_destroy: {
    parameters: [
      "pointer", // struct fuse_session *se
    ],
    result: "void",
  },

  fuse_reply_err: {
    parameters: [
      "pointer", // fuse_req_t req
      "i32", // int err, positive; 0 = success without a body
    ],
    result: "i32",
  },

  fuse_reply_none: {
    parameters: [
      "pointer", // fuse_req_t req
    ],
    result: "void",
  },

  fuse_reply_buf: {
    parameters: [
      "pointer", // fuse_req_t req
      "usize", // const char *buf
      "usize", // size_t size
    ],
    result: "i32", // 0, or -errno of the write to the device
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The loaded functions. */
export type Libfuse3Symbols = Deno.StaticForeignLibraryInterface<typeof SYMBOLS>;
