/**
 * Passwords that come with the environment: as they are, or from a descriptor, a file or a program.
 *
 * @module
 */

import { hostFiles } from "#src/io/files/files.ts";
import { Failure, UsageError } from "#src/errors.ts";
import { requireFfi } from "#src/io/ffi_permission.ts";

/** The password of the encryption key. */
export const KEY_PASSWORD = "PBS_ENCRYPTION_PASSWORD";

/** Environment variables that give the password of a key, for the help of commands. */
export const KEY_PASSWORD_ENVIRONMENT: Readonly<Record<string, string>> = {
  [KEY_PASSWORD]: "password of the encryption key",
  [`${KEY_PASSWORD}_FD`]: "descriptor that the password can be read from",
  [`${KEY_PASSWORD}_FILE`]: "file whose first line is the password",
  [`${KEY_PASSWORD}_CMD`]: "command line whose output is the password",
};

/** The password of a user of a server, or the secret of an API token. */
export const SERVER_PASSWORD = "PBS_PASSWORD";

/** Where variables are looked up. */
export interface Environment {
  /** The value of a variable, or undefined when it is unset or may not be read. */
  environment(name: string): string | undefined;
}

const SECRET_SIZE_MAX = 1 << 20;

/**
 * The secret that the variable `name` gives, else those named `_FD`, `_FILE` and `_CMD`: the first
 * one that is set counts. Undefined when none is.
 *
 * @throws {UsageError} when what a variable names cannot be read or run
 */
export async function secretOf(
  name: string,
  context: Environment,
): Promise<string | undefined> {
  const value = context.environment(name);
  if (value !== undefined) return firstLine(value);
  const fd = context.environment(`${name}_FD`);
  if (fd !== undefined) return firstLine(await readDescriptor(fd, `${name}_FD`));
  const path = context.environment(`${name}_FILE`);
  if (path !== undefined) return secretOfFile(path, `${name}_FILE`);
  const command = context.environment(`${name}_CMD`);
  return command === undefined ? undefined : firstLine(runCommand(command, `${name}_CMD`));
}

/**
 * First line of a file. `option` says what names it. @throws {UsageError} when it cannot be read
 */
export function secretOfFile(path: string, option: string): string {
  return firstLine(readKeyText(path, option));
}

/**
 * Everything that an open descriptor gives. `option` says what names it.
 *
 * @throws {UsageError} when it is no number, is not open, gives more than 1 MiB or FFI is not
 *   allowed
 */
export async function readDescriptor(text: string, option: string): Promise<string> {
  if (!/^\d{1,9}$/u.test(text)) {
    throw new UsageError(`Cannot use "${text}" for ${option}: it is not a number`, { option });
  }
  requireFfi(`read descriptor ${text} of ${option}`, option);
  const { readDescriptorFully, requireInherited } = await import("#src/io/descriptor.ts");
  try {
    requireInherited(Number(text));
    return new TextDecoder().decode(readDescriptorFully(Number(text), SECRET_SIZE_MAX));
  } catch (cause) {
    throw unreadable(`descriptor ${text}`, option, cause);
  }
}

/**
 * Text of a small file or pipe, as a shell makes of `<(command)`.
 *
 * @param option says what names it, where that is no argument
 * @throws {UsageError} when it cannot be read, or gives more than 1 MiB
 */
export function readKeyText(path: string, option?: string): string {
  try {
    return new TextDecoder().decode(hostFiles.readAll(path, SECRET_SIZE_MAX));
  } catch (cause) {
    throw unreadable(`"${path}"`, option, cause);
  }
}

function runCommand(command: string, option: string): string {
  const { success, code, stdout } = new Deno.Command("sh", {
    args: ["-c", command],
    stdin: "null",
    stderr: "inherit",
  }).outputSync();
  if (success) return new TextDecoder().decode(stdout);
  throw new UsageError(`Cannot use ${option}: the command ended with exit code ${code}`, {
    option,
  });
}

function firstLine(text: string): string {
  return text.split(/\r?\n/u, 1)[0]!;
}

function unreadable(what: string, option: string | undefined, cause: unknown): unknown {
  if (!(cause instanceof Failure)) return cause;
  if (option === undefined) return new UsageError(cause.message, { cause });
  return new UsageError(`Cannot read ${what} of ${option}: ${cause.message}`, { option, cause });
}
