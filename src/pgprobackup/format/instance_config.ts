/**
 * `pg_probackup.conf`: configuration of an instance. Only what a reader needs is kept.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";
import { parseKeyValues, type TextPlace } from "./key_values.ts";

/** What identifies the cluster and its WAL. */
export interface InstanceConfig {
  /** Decimal unsigned 64-bit number. */
  readonly systemIdentifier: string;
  /** Bytes of one segment file of the WAL. */
  readonly walSegmentSizeBytes: number;
  /** Data directory the backups were taken from. */
  readonly pgdata?: string | undefined;
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KB: 1024,
  MB: 1024 ** 2,
  GB: 1024 ** 3,
};

/**
 * Parses `pg_probackup.conf`.
 *
 * @throws {FormatError} when a line, the identifier or the segment size is malformed
 */
export function parseInstanceConfig(bytes: Uint8Array, place: TextPlace): InstanceConfig {
  const values = parseKeyValues(bytes, place);
  const systemIdentifier = values.get("system-identifier");
  if (systemIdentifier === undefined || !/^\d{1,20}$/.test(systemIdentifier)) {
    throw new FormatError("Cannot read instance configuration: no system-identifier", place);
  }
  const pgdata = values.get("pgdata");
  return {
    systemIdentifier,
    walSegmentSizeBytes: parseSegmentSize(values.get("xlog-seg-size"), place),
    pgdata,
  };
}

function parseSegmentSize(text: string | undefined, place: TextPlace): number {
  const match = /^(\d{1,10})(B|KB|MB|GB)?$/i.exec(text ?? "");
  const size = match ? Number(match[1]) * UNITS[(match[2] ?? "").toUpperCase()]! : 0;
  const isPowerOfTwo = size > 0 && Number.isInteger(Math.log2(size));
  if (!isPowerOfTwo || size > 1024 ** 3) {
    throw new FormatError(
      `Cannot read instance configuration: xlog-seg-size is "${text ?? ""}"`,
      place,
    );
  }
  return size;
}
