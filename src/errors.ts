/**
 * The eight kinds of failure (docs/architecture.md, "Errors"). Every one has a stable `code` that
 * scripts read from `--format json`, may carry a `hint` that tells a person what to do, and says
 * whether the same may be tried again later.
 *
 * Pure: imported by every layer, imports nothing but the base and the error of system calls.
 *
 * @module
 */

export { Failure, type FailureOptions } from "#ffi/failure.ts";
export { Errno, ERRNO_MAX, OsError } from "#ffi/os_error.ts";
import { Failure, type FailureOptions } from "#ffi/failure.ts";

/** What an error may have whose kind has several codes. */
export interface CodedFailureOptions extends FailureOptions {
  /** Instead of the kind's usual code, where it has several. */
  code?: string | undefined;
}

/** Where bytes are. */
export interface Place {
  /** File in which the bytes are. */
  path?: string | undefined;
  /** Byte offset in that file. */
  offset?: number | undefined;
  /** Backup, snapshot or archive the file belongs to. */
  backupId?: string | undefined;
}

/** `file, offset N, backup ID`: the parts of a place that are known, for a message. */
function describePlace(place: Place): string {
  const parts = [];
  if (place.path !== undefined) parts.push(`"${place.path}"`);
  if (place.offset !== undefined) parts.push(`offset ${place.offset}`);
  if (place.backupId !== undefined) parts.push(`backup ${place.backupId}`);
  return parts.join(", ");
}

/**
 * Runs something, and gives errors about bytes the place that they lack; see {@link withPlace}.
 *
 * @param place asked when something was thrown
 */
export function located<Result>(place: () => Place, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    throw withPlace(error, place());
  }
}

/**
 * An error about bytes with what is known of their place: codecs do not know whose bytes they get.
 * One that names its file already, or is about something else, stays what it is.
 */
export function withPlace(error: unknown, place: Place): unknown {
  if (error instanceof LimitError) {
    if (place.path === undefined || error.message.includes(place.path)) return error;
    return new LimitError(`${error.message} ("${place.path}")`, { cause: error });
  }
  if (!(error instanceof FormatError || error instanceof IntegrityError)) return error;
  if (error.path !== undefined || describePlace(place) === "") return error;
  const { code, hint, option, offset = place.offset, backupId = place.backupId } = error;
  const Kind = error instanceof FormatError ? FormatError : IntegrityError;
  const options = { code, hint, option, path: place.path, offset, backupId, cause: error };
  return new Kind(messageOf(error), options);
}

/** The message without the place at its end. */
function messageOf({ message, path, offset, backupId }: ContentError): string {
  const end = endOf({ path, offset, backupId });
  return message.endsWith(end) ? message.slice(0, message.length - end.length) : message;
}

function endOf(place: Place): string {
  const where = describePlace(place);
  return where === "" ? "" : ` (${where})`;
}

/** The command line or an argument is wrong. Exit code 2. */
export class UsageError extends Failure {
  /** The kind, as stack traces and logs show it. */
  override readonly name = "UsageError";
  /** `usage`, or what tells this misuse from others. */
  readonly code: string;

  /** The message names the argument and its value. */
  constructor(message: string, options: CodedFailureOptions = {}) {
    super(message, options);
    this.code = options.code ?? "usage";
  }
}

/** Bytes somewhere are not what they should be. */
export abstract class ContentError extends Failure {
  /** File or object with the bytes, where it is known. */
  readonly path?: string | undefined;
  /** Where the bytes begin in it, in bytes from its start. */
  readonly offset?: number | undefined;
  /** The backup or snapshot they belong to. */
  readonly backupId?: string | undefined;

  /** Appends the place to the message. */
  constructor(message: string, options: FailureOptions & Place) {
    super(message + endOf(options), options);
    this.path = options.path;
    this.offset = options.offset;
    this.backupId = options.backupId;
  }
}

/** Bytes are not what the format says. `code` is `unsupported` for what a newer writer may add. */
export class FormatError extends ContentError {
  /** The kind, as stack traces and logs show it. */
  override readonly name = "FormatError";
  /** `corrupt`, `unsupported`, or what a format tells apart. */
  readonly code: string;

  /** The message says what was expected and what was found. */
  constructor(message: string, options: CodedFailureOptions & Place = {}) {
    super(message, options);
    this.code = options.code ?? "corrupt";
  }
}

/** A checksum, digest, MAC or promised length differs from what is there. */
export class IntegrityError extends ContentError {
  /** The kind, as stack traces and logs show it. */
  override readonly name = "IntegrityError";
  /** `integrity`, or what tells this difference from others. */
  readonly code: string;

  /** The message says of which bytes the checksum is wrong. */
  constructor(message: string, options: CodedFailureOptions & Place = {}) {
    super(message, options);
    this.code = options.code ?? "integrity";
  }
}

/** A named maximum is exceeded. */
export class LimitError extends Failure {
  /** The kind, as stack traces and logs show it. */
  override readonly name = "LimitError";
  /** Always `limit`; the message names the maximum. */
  readonly code = "limit";
}

/** Credentials, fingerprint, key or password are wrong. */
export class AuthError extends Failure {
  /** The kind, as stack traces and logs show it. */
  override readonly name = "AuthError";
  /** `auth`, or what tells a missing key from a wrong one. */
  readonly code: string;
  /** Of the certificate that nobody vouches for, where it is about one: 32 pairs of hex digits. */
  readonly fingerprint?: string | undefined;

  /** The message names the key or repository, never a secret. */
  constructor(
    message: string,
    options: CodedFailureOptions & { readonly fingerprint?: string | undefined } = {},
  ) {
    super(message, options);
    this.code = options.code ?? "auth";
    this.fingerprint = options.fingerprint;
  }
}

/** A peer (server, background worker) said no or nonsense, or the connection was lost. */
export class ProtocolError extends Failure {
  /** The kind, as stack traces and logs show it. */
  override readonly name = "ProtocolError";
  /** `protocol`, or the code that the peer gave. */
  readonly code: string;
  /** A field that others see too: it goes from thread to thread. */
  private readonly mayPass: boolean;

  /** The message names the peer. */
  constructor(
    message: string,
    options: CodedFailureOptions & { readonly isTemporary?: boolean | undefined } = {},
  ) {
    super(message, options);
    this.code = options.code ?? "protocol";
    this.mayPass = options.isTemporary === true;
  }

  /** As the peer says. */
  override get isTemporary(): boolean {
    return this.mayPass;
  }
}

/**
 * A condition of this program's own state that a caller handles on purpose; see {@link StateCode}.
 */
export type StateCode =
  | "locked"
  | "bound-elsewhere"
  | "backup-changed"
  | "source-changed"
  | "dirty"
  | "no-wal-used"
  | "foreign-diff"
  | "has-branches"
  | "not-hydrated"
  | "promoted"
  | "not-mounted"
  | "busy"
  | "not-found"
  | "wal-missing"
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

/** States that pass by themselves. */
const TEMPORARY_STATES: ReadonlySet<StateCode> = new Set(["locked", "busy", "timeout"]);

/**
 * The request is well-formed but the state of a diff directory, mount or catalog does not allow it.
 */
export class StateError extends Failure {
  /** The kind, as stack traces and logs show it. */
  override readonly name = "StateError";

  /** The message names the directory, mount or snapshot that is in that state. */
  constructor(readonly code: StateCode, message: string, options: FailureOptions = {}) {
    super(message, options);
  }

  /** True of what others end by themselves: `locked`, `busy` and `timeout`. */
  override get isTemporary(): boolean {
    return TEMPORARY_STATES.has(this.code);
  }
}

/** Properties of errors that name a place, a system call or an option. */
export type ErrorDetail =
  | "option"
  | "path"
  | "offset"
  | "backupId"
  | "mountPath"
  | "diffPath"
  | "errno"
  | "call";

const DETAILS: readonly ErrorDetail[] = [
  "option",
  "path",
  "offset",
  "backupId",
  "mountPath",
  "diffPath",
  "errno",
  "call",
];

/** An error as plain values, for JSON and for other processes. */
export interface ErrorRecord {
  /**
   * The stable code of a {@link Failure}; `permission` when the runtime does not allow something;
   * `host` for an error of its own file calls; `internal` for everything else, which is a bug.
   */
  readonly code: string;
  /** What happened, with the place. */
  readonly message: string;
  /** What to do about it. */
  readonly hint: string | undefined;
  /** Whether the same may succeed later. */
  readonly isTemporary: boolean;
  /** What else it says, as far as it is known. */
  readonly details: Readonly<Partial<Record<ErrorDetail, string | number>>>;
}

/** What was thrown, as plain values. */
export function toRecord(error: unknown): ErrorRecord {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof Failure)) {
    return { code: foreignCode(error), message, hint: undefined, isTemporary: false, details: {} };
  }
  const { code, hint, isTemporary } = error;
  const details = DETAILS.map((key) => [key, Reflect.get(error, key)] as const)
    .filter(([, value]) => value !== undefined);
  return { code, message, hint, isTemporary, details: Object.fromEntries(details) };
}

function foreignCode(error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) return "permission";
  const isOfRuntime = Object.values(Deno.errors).some((kind) => error instanceof kind);
  return isOfRuntime ? "host" : "internal";
}
