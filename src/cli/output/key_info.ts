/**
 * What key files say of their keys, for people and programs.
 *
 * @module
 */

import { describeRsaKey } from "#src/codecs/rsa.ts";
import { formatFingerprint, type KeyFile } from "#src/pbs/format/key_file.ts";
import { formatCalendarTime } from "#src/usecases/local_time.ts";
import { showMessage } from "#src/bytes/quoting.ts";
import type { Output } from "./output.ts";

/** What is told of a key; names and values as other tools have them. */
export interface KeyInfo {
  /** Unix seconds. */
  readonly created: number;
  readonly fingerprint?: string | undefined;
  readonly hint?: string | undefined;
  readonly kdf: string;
  readonly modified: number;
  /** In quotation marks. */
  readonly path: string;
}

/** What a key file says. */
export function keyInfo(path: string, file: KeyFile): KeyInfo {
  return {
    created: seconds(file.created),
    fingerprint: file.fingerprint && formatFingerprint(file.fingerprint),
    hint: file.hint,
    kdf: file.derivation.kind,
    modified: seconds(file.modified),
    path: JSON.stringify(path),
  };
}

/** The same as a table. */
export function formatKeyInfo(info: KeyInfo, output: Output): string {
  const rows = [
    ["path", info.path],
    ["kdf", info.kdf],
    ["created", formatCalendarTime(info.created)],
    ["modified", formatCalendarTime(info.modified)],
    ["fingerprint", info.fingerprint],
    ["hint", info.hint && showMessage(info.hint)],
  ].filter((row): row is [string, string] => row[1] !== undefined);
  return output.table([{ title: "Name" }, { title: "Value" }], rows);
}

/** What is told of a public master key. */
export interface MasterKeyInfo {
  readonly exponent: string;
  /** Bits. */
  readonly length: number;
  readonly modulus: string;
  /** In quotation marks. */
  readonly path: string;
}

/** What a public master key is. @throws {FormatError} when it is no RSA key */
export function masterKeyInfo(path: string, pem: string): MasterKeyInfo {
  const { exponent, bits, modulus } = describeRsaKey(pem);
  return {
    exponent: String(exponent),
    length: bits,
    modulus: modulus.toHex().toUpperCase(),
    path: JSON.stringify(path),
  };
}

/** The same as a table. */
export function formatMasterKey(info: MasterKeyInfo, output: Output): string {
  return output.table([{ title: "Name" }, { title: "Value" }], [
    ["path", info.path],
    ["modulus", info.modulus],
    ["exponent", info.exponent],
    ["length", String(info.length)],
  ]);
}

/** Files of other makers may have no times, or odd ones. */
function seconds(time: string): number {
  const milliseconds = Date.parse(time);
  return Number.isNaN(milliseconds) ? 0 : Math.floor(milliseconds / 1000);
}
