/**
 * What a mount is to show: what its life needs of a source besides the source itself.
 *
 * @module
 */

import type { Binding, BoundSource } from "#src/overlay/binding.ts";
import type { DiffDirectory } from "#src/overlay/diff_directory.ts";
import type { DiffPlace } from "#src/overlay/diff_place.ts";
import type { Source } from "#src/sources/source.ts";
import type { DiffStatisticsReport } from "./statistics_report.ts";

/** What can be mounted. */
export interface SourceToMount {
  /**
   * Where it lies: apart from mount point and diff directory. Asked once, when there is a diff
   * directory. @throws {UsageError} when nobody says where it is
   */
  places(): readonly DiffPlace[];
  /** Looks at the record of a diff directory that was mounted before. @throws to refuse it */
  checkBinding?(binding: Binding): void;
  /** Opens it. Called once. @throws what opening a source throws */
  open(mount: MountToOpen): Promise<OpenedSource>;
}

/** The mount that a source is opened for. */
export interface MountToOpen {
  readonly mountPath: string;
  /** Undefined for a read-only mount. */
  readonly diff: DiffDirectory | undefined;
  /** Threads that will serve. */
  readonly threadCount: number;
}

/** A source that is open for a mount. */
export interface OpenedSource {
  readonly source: Source;
  /** What a diff directory over it is bound to. */
  bound(): Promise<BoundSource>;
  /** Is told of the diff directory once that is bound, before it is mounted. @throws {OsError} */
  onBound?(diff: DiffDirectory): void;
  /** Files of the diff directory have extended attributes unless told. Default: false. */
  readonly extendedAttributes?: boolean;
  /** Its files have the owner that was asked for. Default: false, so the mount changes it. */
  readonly showsOwner?: boolean;
  /** What statistics say of it besides. */
  readonly facts?: Pick<DiffStatisticsReport["mount"], "instance" | "backup_id">;
  /** See `createPageCounterMemory`; absent where no pages are put together. */
  readonly pageCounters?: SharedArrayBuffer | undefined;
  /** Logs what is to be known of it; called when the log is open. */
  logFindings?(): void;
  /** What probably is behind a failure to read it. */
  explainFailure?(detail: string): string | undefined;
}
