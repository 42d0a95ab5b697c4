/**
 * Directories of the host as what archives are made of: by system calls or by the runtime's own.
 * That is decided here, once.
 *
 * @module
 */

import { mayUseFfi } from "#src/io/ffi_permission.ts";
import { ALL_FIELDS, type MetadataField } from "#src/tree/metadata.ts";
import { makeNativeSource } from "./native_source.ts";
import { makePlainSource } from "./plain_source.ts";
import type { MakeBuildSource } from "./source.ts";

/** A way to read directories. */
export interface HostSource {
  /** Makes one for a build. */
  readonly make: MakeBuildSource;
  /** What it knows of entries. */
  readonly knownFields: ReadonlySet<MetadataField>;
  /** Times are exact to this many nanoseconds. */
  readonly mtimePrecisionNs: number;
}

const native: HostSource = { make: makeNativeSource, knownFields: ALL_FIELDS, mtimePrecisionNs: 1 };

/** The runtime's own calls know no attributes, and round times to milliseconds. */
const plain: HostSource = {
  make: makePlainSource,
  knownFields: new Set(["mode", "uid", "gid", "mtime", "links"]),
  mtimePrecisionNs: 1_000_000,
};

/** The one of this process. */
export const hostSource: HostSource = mayUseFfi ? native : plain;
