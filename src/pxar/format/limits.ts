/**
 * What is accepted at most, from archives and for them.
 *
 * @module
 */

/** Bytes of a file name; Linux itself allows 255. */
export const NAME_SIZE_MAX = 4096;

/** Bytes of a symbolic link's or hard link's target. */
export const TARGET_SIZE_MAX = 4096;

/** Bytes of the name of an extended attribute. */
export const XATTR_NAME_SIZE_MAX = 255;

/** Content of an XATTR or FCAPS item: a name and a value of 64 KiB. */
export const XATTR_CONTENT_SIZE_MAX = XATTR_NAME_SIZE_MAX + 65_536;

/** Bytes of a prelude. The format has no limit; the client writes exclude patterns into it. */
export const PRELUDE_SIZE_MAX = 4 << 20;

/**
 * Content that no archive can hold: a larger declared size is taken for damage, not for a missing
 * end.
 */
export const CONTENT_SIZE_PLAUSIBLE_MAX = 2 ** 40;

/**
 * Attribute items (xattrs and ACL entries) of one entry. Linux has at most 64 KiB of names, a name
 * and its NUL take 7.
 */
export const ATTRIBUTE_COUNT_MAX = 32_768;

/** Bytes of all xattrs and ACLs of one entry. */
export const ATTRIBUTES_SIZE_MAX = 16 << 20;

/** Directories below each other. Linux itself can be asked for no more than 2048 by a path. */
export const DEPTH_MAX = 2048;

/** Bytes of the path of an entry. */
export const PATH_SIZE_MAX = 32_768;

/**
 * Length of a stream: what fits into an offset of 47 bits, so that offsets can serve as node ids.
 */
export const STREAM_SIZE_MAX = 2 ** 47;
