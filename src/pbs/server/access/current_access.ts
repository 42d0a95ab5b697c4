/**
 * Users and permissions as they are now: commands change the file while the server runs.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { ACCESS_FILE_NAME, type AccessData, readAccess } from "./access_file.ts";
import { Permissions } from "./privileges.ts";

/** See the head of the module. */
export class CurrentAccess {
  readonly #folder: string;
  readonly #onWarning: (message: string) => void;
  /** Which file was read. */
  #version: string;
  #data: AccessData;
  #permissions: Permissions;

  /**
   * @param onWarning told of a file that cannot be read: then what it said before holds
   * @throws as {@link readAccess}
   */
  constructor(folder: string, onWarning: (message: string) => void) {
    this.#folder = folder;
    this.#onWarning = onWarning;
    this.#version = this.#fileVersion();
    this.#data = readAccess(folder);
    this.#permissions = new Permissions(this.#data.acl);
  }

  /** Users and tokens. */
  get data(): AccessData {
    this.#refresh();
    return this.#data;
  }

  /** Who may do what. */
  get permissions(): Permissions {
    this.#refresh();
    return this.#permissions;
  }

  /** One system call where nothing has changed. */
  #refresh(): void {
    const version = this.#fileVersion();
    if (version === this.#version) return;
    this.#version = version;
    try {
      this.#data = readAccess(this.#folder);
      this.#permissions = new Permissions(this.#data.acl);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.#onWarning(error.message);
    }
  }

  #fileVersion(): string {
    const stat = new host.HostStat();
    if (host.lstat(`${this.#folder}/${ACCESS_FILE_NAME}`, stat) < 0) return "";
    const { ino, size, ctimeSeconds, ctimeNanoseconds } = stat;
    return [ino, size, ctimeSeconds, ctimeNanoseconds].join(" ");
  }
}
