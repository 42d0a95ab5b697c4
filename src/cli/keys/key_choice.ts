/**
 * Which key a command uses, and what for.
 *
 * @module
 */

import { type Command, Option } from "commander";
import { UsageError } from "#src/errors.ts";
import type { CryptMode } from "#src/pbs/format/crypt.ts";
import type { CommandContext } from "../command.ts";
import {
  defaultKeyPath,
  defaultMasterKeyPath,
  existingPath,
} from "#src/usecases/keys/key_places.ts";

/** Values of {@link addKeyOptions}. */
export interface KeyOptions {
  readonly keyfile?: string;
  readonly keyfd?: string;
}

/** Values of {@link addBackupKeyOptions}. */
export interface BackupKeyOptions extends KeyOptions {
  readonly cryptMode?: CryptMode;
  readonly masterPubkeyFile?: string;
  readonly masterPubkeyFd?: string;
}

/** Where a key is to be read from. */
export interface KeySource {
  readonly kind: "file" | "default" | "descriptor";
  /** Path, or number of the descriptor. */
  readonly place: string;
}

/** What a backup does with which keys. */
export interface KeyPlan {
  readonly mode: CryptMode;
  /** Undefined for mode `none`. */
  readonly key: KeySource | undefined;
  /** Public key that the key is stored with. */
  readonly masterKey: KeySource | undefined;
}

/** Keys that are used where the command line names none. */
export interface DefaultKeys {
  readonly key: string | undefined;
  readonly masterKey: string | undefined;
}

/** The options that name the encryption key; `otherwise` is what happens without. */
export function addKeyOptions(
  command: Command,
  otherwise = "else the one at the default place, if any",
): Command {
  return command
    .option("--keyfile <file>", `encryption key; ${otherwise}`)
    .addOption(
      new Option("--keyfd <number>", "open descriptor that gives the encryption key")
        .conflicts("keyfile"),
    );
}

/** The options that name the keys of a backup and what is done with them. */
export function addBackupKeyOptions(command: Command): Command {
  return addKeyOptions(command)
    .addOption(
      new Option("--crypt-mode <mode>", "what the key is used for; default with a key: encrypt")
        .choices(["none", "encrypt", "sign-only"]),
    )
    .option(
      "--master-pubkey-file <file>",
      "public key that the encryption key is stored with; else the one at the default place, if any",
    )
    .addOption(
      new Option("--master-pubkey-fd <number>", "open descriptor that gives the public key")
        .conflicts("masterPubkeyFile"),
    );
}

/** The keys that lie at their default places. */
export function defaultKeys(context: CommandContext): DefaultKeys {
  return {
    key: existingPath(defaultKeyPath(context)),
    masterKey: existingPath(defaultMasterKeyPath(context)),
  };
}

/** The keys of a backup. @throws {UsageError} when what is asked for does not fit together */
export function planBackupKeys(options: BackupKeyOptions, defaults: DefaultKeys): KeyPlan {
  const given = givenKey(options);
  const givenMaster = givenMasterKey(options);
  if (options.cryptMode === "none") {
    refuseWithoutEncryption(given, "--keyfile/--keyfd");
    refuseWithoutEncryption(givenMaster, "--master-pubkey-file/--master-pubkey-fd");
    return { mode: "none", key: undefined, masterKey: undefined };
  }
  const key = given ?? defaultOrigin(defaults.key);
  if (key !== undefined) {
    const masterKey = givenMaster ?? defaultOrigin(defaults.masterKey);
    return { mode: options.cryptMode ?? "encrypt", key, masterKey };
  }
  if (options.cryptMode !== undefined) {
    throw new UsageError("--crypt-mode without --keyfile and no default key file available", {
      option: "--crypt-mode",
    });
  }
  if (givenMaster !== undefined) {
    throw new UsageError(
      "--master-pubkey-file/--master-pubkey-fd specified, but no key available",
      { option: "--master-pubkey-file", hint: "Give a key with --keyfile" },
    );
  }
  return { mode: "none", key: undefined, masterKey: undefined };
}

/** The key that snapshots are read with; undefined when there is none. @throws {UsageError} */
export function planReadKey(options: KeyOptions, defaults: DefaultKeys): KeySource | undefined {
  return givenKey(options) ?? defaultOrigin(defaults.key);
}

/** What is said of a key that is used. `kind`: `encryption` or `master`. */
export function describeOrigin({ kind, place }: KeySource, name: "encryption" | "master"): string {
  switch (kind) {
    case "default":
      return `Using default ${name} key..`;
    case "file":
      return `Using ${name} key from '${place}'..`;
    case "descriptor":
      return `Using ${name} key from file descriptor..`;
  }
}

function givenKey({ keyfile, keyfd }: KeyOptions): KeySource | undefined {
  return givenOrigin(keyfile, keyfd, "--keyfile and --keyfd");
}

function givenMasterKey(options: BackupKeyOptions): KeySource | undefined {
  const { masterPubkeyFile: file, masterPubkeyFd: fd } = options;
  return givenOrigin(file, fd, "--master-pubkey-file and --master-pubkey-fd");
}

function givenOrigin(
  file: string | undefined,
  fd: string | undefined,
  flags: string,
): KeySource | undefined {
  if (file !== undefined && fd !== undefined) {
    throw new UsageError(`${flags} are mutually exclusive`);
  }
  if (file !== undefined) return { kind: "file", place: file };
  return fd === undefined ? undefined : { kind: "descriptor", place: fd };
}

function defaultOrigin(path: string | undefined): KeySource | undefined {
  return path === undefined ? undefined : { kind: "default", place: path };
}

function refuseWithoutEncryption(origin: KeySource | undefined, flags: string): void {
  if (origin === undefined) return;
  throw new UsageError(`${flags} and --crypt-mode=none are mutually exclusive`, {
    option: "--crypt-mode",
  });
}
