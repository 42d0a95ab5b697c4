/**
 * The seven kinds of failure (docs/architecture.md, "Errors"). Every one has a stable `code` that scripts
 * read from `--format json`, and may carry a `hint` that tells a person what to do.
 *
 * Pure: imported by every layer, imports nothing but the other error class.
 *
 * @module
 */

export { Errno, OsError } from "#ffi/os_error.ts";
import { OsError } from "#ffi/os_error.ts";

/** What all errors of this program have in common. */
export interface Failure {
  /** Stable, documented identifier of the condition, such as `chain-broken` or `ENOENT`. */
  readonly code: string;
  /** What can be done about it, in words that fit a program as well as a person: no flags, no commands. */
  readonly hint?: string;
  /**
   * The option that is wrong, or that is a way out: the name that the function called has for it, such as `force`. The command
   * line says which flag that is.
   */
  readonly option?: string;
}

/** What errors have besides their message. */
export interface FailureOptions {
  code?: string;
  hint?: string;
  option?: string;
  cause?: unknown;
}

/** Where bytes are. */
export interface Place {
  /** File in which the bytes are. */
  path?: string;
  /** Byte offset in that file. */
  offset?: number;
  /** Backup, snapshot or archive the file belongs to. */
  backupId?: string;
}

/** `file, offset N, backup ID`: the parts of a place that are known, for a message. */
export function describePlace(place: Place): string {
  const parts = [];
  if (place.path !== undefined) parts.push(`"${place.path}"`);
  if (place.offset !== undefined) parts.push(`offset ${place.offset}`);
  if (place.backupId !== undefined) parts.push(`backup ${place.backupId}`);
  return parts.join(", ");
}

function withPlace(message: string, place: Place): string {
  const where = describePlace(place);
  return where === "" ? message : `${message} (${where})`;
}

/** The command line or an argument is wrong. Exit code 2. */
export class UsageError extends TypeError implements Failure {
  override readonly name = "UsageError";
  readonly code: string;
  readonly hint?: string;
  readonly option?: string;

  constructor(message: string, options: FailureOptions = {}) {
    super(message, { cause: options.cause });
    this.code = options.code ?? "usage";
    if (options.hint !== undefined) this.hint = options.hint;
    if (options.option !== undefined) this.option = options.option;
  }
}

/** Bytes are not what the format says. `code` is `unsupported` for what a newer writer may add. */
export class FormatError extends SyntaxError implements Failure {
  override readonly name = "FormatError";
  readonly code: string;
  readonly hint?: string;
  readonly option?: string;
  readonly path?: string;
  readonly offset?: number;
  readonly backupId?: string;

  constructor(message: string, options: FailureOptions & Place = {}) {
    super(withPlace(message, options), { cause: options.cause });
    this.code = options.code ?? "corrupt";
    if (options.hint !== undefined) this.hint = options.hint;
    if (options.option !== undefined) this.option = options.option;
    if (options.path !== undefined) this.path = options.path;
    if (options.offset !== undefined) this.offset = options.offset;
    if (options.backupId !== undefined) this.backupId = options.backupId;
  }
}

/** A checksum, digest, MAC or promised length differs from what is there. */
export class IntegrityError extends Error implements Failure {
  override readonly name = "IntegrityError";
  readonly code: string;
  readonly hint?: string;
  readonly option?: string;
  readonly path?: string;
  readonly offset?: number;
  readonly backupId?: string;

  constructor(message: string, options: FailureOptions & Place = {}) {
    super(withPlace(message, options), { cause: options.cause });
    this.code = options.code ?? "integrity";
    if (options.hint !== undefined) this.hint = options.hint;
    if (options.option !== undefined) this.option = options.option;
    if (options.path !== undefined) this.path = options.path;
    if (options.offset !== undefined) this.offset = options.offset;
    if (options.backupId !== undefined) this.backupId = options.backupId;
  }
}

/** A named maximum is exceeded. */
export class LimitError extends RangeError implements Failure {
  override readonly name = "LimitError";
  readonly code = "limit";
  readonly hint?: string;
  readonly option?: string;

  constructor(message: string, options: Omit<FailureOptions, "code"> = {}) {
    super(message, { cause: options.cause });
    if (options.hint !== undefined) this.hint = options.hint;
    if (options.option !== undefined) this.option = options.option;
  }
}

/** Credentials, fingerprint, key or password are wrong. */
export class AuthError extends Error implements Failure {
  override readonly name = "AuthError";
  readonly code: string;
  readonly hint?: string;
  readonly option?: string;

  constructor(message: string, options: FailureOptions = {}) {
    super(message, { cause: options.cause });
    this.code = options.code ?? "auth";
    if (options.hint !== undefined) this.hint = options.hint;
    if (options.option !== undefined) this.option = options.option;
  }
}

/** A peer (server, background worker) said no or nonsense, or the connection was lost. */
export class ProtocolError extends Error implements Failure {
  override readonly name = "ProtocolError";
  readonly code: string;
  readonly hint?: string;

  constructor(message: string, options: FailureOptions = {}) {
    super(message, { cause: options.cause });
    this.code = options.code ?? "protocol";
    if (options.hint !== undefined) this.hint = options.hint;
  }
}

/** A condition of this program's own state that a caller handles on purpose; see {@link StateCode}. */
export type StateCode =
  | "locked"
  | "bound-elsewhere"
  | "backup-changed"
  | "dirty"
  | "no-wal-used"
  | "foreign-diff"
  | "not-mounted"
  | "busy"
  | "not-found"
  | "chain-broken"
  | "chain-corrupt"
  | "timeout"
  | "stopped"
  | "interrupted"
  | "partial"
  | "exists"
  | "protected"
  | "foreign-owner"
  | "access-times"
  | "future-snapshot"
  | "maintenance"
  | "object-storage";

/** The request is well-formed but the state of a diff directory, mount or catalog does not allow it. */
export class StateError extends Error implements Failure {
  override readonly name = "StateError";
  readonly hint?: string;
  readonly option?: string;

  constructor(
    readonly code: StateCode,
    message: string,
    options: Omit<FailureOptions, "code"> = {},
  ) {
    super(message, { cause: options.cause });
    if (options.hint !== undefined) this.hint = options.hint;
    if (options.option !== undefined) this.option = options.option;
  }
}

/** Whether `error` is one of this program's own kinds. */
export function isFailure(error: unknown): error is Error & Failure {
  return error instanceof UsageError || error instanceof FormatError ||
    error instanceof IntegrityError || error instanceof LimitError ||
    error instanceof AuthError || error instanceof ProtocolError ||
    error instanceof StateError || error instanceof OsError;
}
