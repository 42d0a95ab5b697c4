/**
 * What a case of the POSIX suite is.
 *
 * @module
 */

/** Gets a fresh, empty directory below the mount point; throws when the file system misbehaves. */
export type PosixCase = (directory: string) => void | Promise<void>;

/** Cases by name; a name is a statement about the file system. */
export type PosixSuite = ReadonlyMap<string, PosixCase>;
