/**
 * The host's files, for code above the formats: system calls that return a value or a negative
 * errno.
 *
 * @module
 */

export * from "#ffi/libc.ts";
export { describeErrno, Errno, errnoName, OsError, unwrap } from "#ffi/os_error.ts";
export { openFileLimit, raiseOpenFileLimit } from "#ffi/libc_limits.ts";
export { programInvocationName } from "#ffi/libc_program.ts";
export {
  forwardSignal,
  latchSignals,
  SIGHUP,
  SIGINT,
  type SignalLatch,
  SIGTERM,
  SIGURG,
  SIGUSR1,
} from "#ffi/signals.ts";
