/**
 * The flag of commands that read a chain of pg_probackup for a while, which hold its lock.
 *
 * @module
 */

/** Flag, and what help says of it. The option's value is `lock`. */
export const NO_LOCK = ["--no-lock", "do not hold pg_probackup's read lock on the chain"] as const;
