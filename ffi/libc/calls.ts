/**
 * The system calls that most callers need, as one name space: files, their attributes, directories,
 * extended attributes, processes and signals. What few need has modules of its own beside this one.
 *
 * **Every function in this folder returns a value or a negative errno**; only {@link unwrap} makes
 * an exception of one.
 *
 * @module
 */

export * from "./attributes.ts";
export * from "./directories.ts";
export * from "./files.ts";
export * from "./paths.ts";
export * from "./process.ts";
export * from "./xattr.ts";
export {
  forwardSignal,
  latchSignals,
  SIGHUP,
  SIGINT,
  type SignalLatch,
  SIGTERM,
  SIGURG,
  SIGUSR1,
} from "./signals.ts";
export { describeErrno, Errno, errnoName, OsError, unwrap } from "../os_error.ts";
