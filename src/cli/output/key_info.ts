/**
 * What key files say of their keys, as tables.
 *
 * @module
 */

import { formatCalendarTime } from "#src/usecases/local_time.ts";
import type { KeyInfo, MasterKeyInfo } from "#src/usecases/keys/key_records.ts";
import { showMessage } from "#src/bytes/quoting.ts";
import type { Output } from "./output.ts";

/** A key file. */
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

/** A public master key. */
export function formatMasterKey(info: MasterKeyInfo, output: Output): string {
  return output.table([{ title: "Name" }, { title: "Value" }], [
    ["path", info.path],
    ["modulus", info.modulus],
    ["exponent", info.exponent],
    ["length", String(info.length)],
  ]);
}
