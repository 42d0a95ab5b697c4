/**
 * The one mapping from errors to errno values at the mount.
 *
 * @module
 */

import {
  AuthError,
  FormatError,
  IntegrityError,
  LimitError,
  OsError,
  ProtocolError,
  UsageError,
} from "#src/errors.ts";
import { Errno } from "#ffi/os_error.ts";

/** The positive errno that a program using the mount sees for `error`. */
export function errnoOf(error: unknown): number {
  if (error instanceof OsError) return error.errno;
  if (error instanceof FormatError || error instanceof IntegrityError) return Errno.EIO;
  if (error instanceof LimitError) return Errno.EFBIG;
  if (error instanceof AuthError) return Errno.EACCES;
  if (error instanceof ProtocolError) return Errno.EIO;
  if (error instanceof UsageError) return Errno.EINVAL;
  return Errno.EIO;
}
