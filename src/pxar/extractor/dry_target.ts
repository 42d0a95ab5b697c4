/**
 * Restores nothing: for a run that only says what it would do, and what stands in the way.
 *
 * @module
 */

import * as fs from "node:fs";
import { FileType } from "#src/tree/node.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { joinDeviceNumber } from "#src/bytes/device_number.ts";
import type { EntryContent, ExtractTarget, SpecialEntry } from "./extract_target.ts";
import { InTheWayError, leaveFor, type OverwriteLeave } from "./in_the_way.ts";
import {
  CREATE_HARDLINK,
  OVERWRITE_NOTHING,
  type OverwritePolicy,
  RESTORE_ALL,
  type RestoreFeatures,
  type TargetOptions,
} from "./options.ts";

/** A target that writes nothing. Contents are not read either. */
export class DryTarget implements ExtractTarget {
  readonly features: RestoreFeatures;
  readonly #overwrite: OverwritePolicy;
  /** Directories on the host; undefined for those that would be new. */
  readonly #levels: (string | undefined)[];
  /** Paths of files that would be replaced, by device and inode of what is there. */
  readonly #replaced = new Map<string, string>();

  /** Looks at `place`, the directory to restore into; without it nothing is in the way. */
  constructor(options: TargetOptions = {}, place?: string) {
    this.features = options.features ?? RESTORE_ALL;
    this.#overwrite = options.overwrite ?? OVERWRITE_NOTHING;
    this.#levels = [place];
  }

  enterDirectory(name: string, path: string): void {
    const found = this.#find(name);
    if (found?.isDirectory() && this.#overwrite.directories) {
      this.#levels.push(`${this.#levels.at(-1)}/${name}`);
      return;
    }
    this.#check(found, path, "make directory", "byDirectories");
    this.#levels.push(undefined);
  }

  leaveDirectory(): void {
    this.#levels.pop();
  }

  createFile(name: string, path: string, _metadata: Metadata, _content: EntryContent): void {
    const found = this.#find(name);
    this.#check(found, path, "create file", "files");
    if (found !== undefined && found.nlink > 1) this.#replaced.set(fileId(found), path.slice(1));
  }

  removeFile(): void {}

  createSymlink(name: string, path: string): void {
    this.#check(this.#find(name), path, "create symbolic link", "symlinks");
  }

  createSpecial(name: string, path: string, { metadata, device }: SpecialEntry): void {
    const found = this.#find(name);
    const number = device === undefined ? 0 : Number(joinDeviceNumber(device));
    const isSame = found?.rdev === number && found.nlink === 1 &&
      (found.mode & FileType.MASK) === (metadata.mode & FileType.MASK);
    if (isSame && this.#overwrite.specials) return;
    this.#check(found, path, "create special file", "specials", isSame);
  }

  createHardlink(name: string, path: string, targetPath: string): void {
    const found = this.#find(name);
    // A name of the file that is replaced at the first name goes with it.
    if (found !== undefined && this.#replaced.get(fileId(found)) === targetPath) return;
    this.#check(found, path, CREATE_HARDLINK, "hardlinks");
  }

  close(): void {}

  /** What is there; nothing also where it cannot be seen. */
  #find(name: string): fs.Stats | undefined {
    const directory = this.#levels.at(-1);
    if (directory === undefined) return undefined;
    try {
      return fs.lstatSync(`${directory}/${name}`);
    } catch {
      return undefined;
    }
  }

  #check(
    found: fs.Stats | undefined,
    path: string,
    step: string,
    coming: OverwriteLeave,
    isSame = false,
  ): void {
    if (found === undefined) return;
    if (leaveFor(coming, found.mode, isSame) === coming && this.#overwrite[coming]) return;
    throw new InTheWayError(step, path, coming, found.mode, isSame);
  }
}

function fileId({ dev, ino }: fs.Stats): string {
  return `${dev}:${ino}`;
}
