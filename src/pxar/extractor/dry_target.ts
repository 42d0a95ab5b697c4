/**
 * Restores nothing: for a run that only says what it would do.
 *
 * @module
 */

import type { PxarMetadata } from "../entry.ts";
import type { EntryContent, ExtractTarget } from "./extract_target.ts";
import { RESTORE_ALL, type RestoreFeatures, type TargetOptions } from "./options.ts";

/** A target that writes nothing. Contents are not read either. */
export class DryTarget implements ExtractTarget {
  readonly features: RestoreFeatures;

  constructor(options: TargetOptions = {}) {
    this.features = options.features ?? RESTORE_ALL;
  }

  enterDirectory(): void {}

  leaveDirectory(): void {}

  createFile(_name: string, _path: string, _metadata: PxarMetadata, _content: EntryContent): void {}

  createSymlink(): void {}

  createSpecial(): void {}

  createHardlink(): void {}

  close(): void {}
}
