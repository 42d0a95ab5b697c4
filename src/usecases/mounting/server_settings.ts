/**
 * Settings of the server, written into the diff before it is mounted.
 *
 * They are appended to `postgresql.auto.conf`, whose last line for a name wins. A setting that the
 * file already ends up with is left alone, so that mounting again with the same options changes
 * nothing.
 *
 * @module
 */

import { unwrap } from "#ffi/libc/calls.ts";
import * as host from "#ffi/libc/calls.ts";
import {
  AttributesSlot,
  type Caller,
  EntrySlot,
  type FileSystem,
  OpenSlot,
  ROOT_NODE_ID,
} from "#src/tree/file_system.ts";
import { LimitError } from "#src/errors.ts";

/** A setting of the server. */
export interface Setting {
  /** Its name, such as `restore_command`. */
  readonly key: string;
  /** Without quotation marks, on one line. */
  readonly value: string;
}

/** The file, in the root of a data directory. */
export const AUTO_CONF_NAME = "postgresql.auto.conf";
/** Its presence makes the server recover from the archive. */
export const RECOVERY_SIGNAL_NAME = "recovery.signal";

const TEMPORARY_NAME = "postgresql.auto.conf.pbkfs";
const FILE_MODE = 0o100600;
const SIZE_MAX = 16 << 20;

/**
 * Writes settings into a data directory; with a new `restore_command` also an empty
 * `recovery.signal`.
 *
 * @returns the names of the settings that were not there
 * @throws {OsError}
 */
export function applySettings(fileSystem: FileSystem, settings: readonly Setting[]): string[] {
  const root = new AttributesSlot();
  unwrap(fileSystem.getattr(ROOT_NODE_ID, root), "stat", "/");
  const files = new RootFiles(fileSystem, { uid: root.uid, gid: root.gid, umask: 0 });
  const old = files.read(AUTO_CONF_NAME) ?? "";
  const added = missingSettings(old, settings);
  if (added.length === 0) return [];
  // Before the settings: a crash in between leaves a signal without a command, which the server
  // refuses to start with, and not a server that starts without having recovered.
  if (added.some(({ key }) => key.toLowerCase() === "restore_command")) {
    if (files.read(RECOVERY_SIGNAL_NAME) === undefined) files.replace(RECOVERY_SIGNAL_NAME, "");
  }
  const start = old === "" || old.endsWith("\n") ? old : `${old}\n`;
  files.replace(AUTO_CONF_NAME, start + added.map(formatSetting).join(""));
  return added.map(({ key }) => key);
}

/** Formats a setting as a line of the server's configuration file. */
export function formatSetting({ key, value }: Setting): string {
  return `${key} = '${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'\n`;
}

/** The settings that are not already the last of their name in `text`. */
function missingSettings(text: string, settings: readonly Setting[]): Setting[] {
  const effective = new Map<string, string>();
  for (const line of text.split("\n")) {
    const name = /^\s*([\w$.]+)\s*(?:=|\s)/u.exec(line)?.[1];
    if (name !== undefined) effective.set(name.toLowerCase(), line.trim());
  }
  const last = new Map(settings.map((setting) => [setting.key.toLowerCase(), setting]));
  return [...last].filter(([name, setting]) =>
    effective.get(name) !== formatSetting(setting).trim()
  ).map(([, setting]) => setting);
}

/** Small files in the root of a file system that is not mounted yet. */
class RootFiles {
  readonly #entry = new EntrySlot();
  readonly #open = new OpenSlot();

  constructor(readonly fileSystem: FileSystem, readonly owner: Caller) {}

  /** @returns undefined when there is no such file */
  read(name: string): string | undefined {
    unwrap(this.fileSystem.lookup(ROOT_NODE_ID, name, this.#entry), "look up", name);
    const { nodeId } = this.#entry;
    if (nodeId === 0) return undefined;
    try {
      return this.#readNode(nodeId, name, this.#entry.attributes.size);
    } finally {
      this.fileSystem.forget(nodeId, 1);
    }
  }

  #readNode(nodeId: number, name: string, size: number): string {
    if (size > SIZE_MAX) throw new LimitError(`Cannot read "${name}": more than ${SIZE_MAX} bytes`);
    if (size === 0) return "";
    const buffer = host.allocateNativeBuffer(size);
    unwrap(this.fileSystem.open(nodeId, host.OpenFlag.RDONLY, false, this.#open), "open", name);
    const { handle } = this.#open;
    try {
      const count = this.fileSystem.read(nodeId, handle, 0, size, buffer, 0);
      return new TextDecoder().decode(buffer.bytes.subarray(0, unwrap(count, "read", name)));
    } finally {
      this.fileSystem.release(nodeId, handle);
    }
  }

  /** Replaces or makes a file; durable on return. */
  replace(name: string, text: string): void {
    const { fileSystem } = this;
    const stale = fileSystem.unlink(ROOT_NODE_ID, TEMPORARY_NAME);
    if (stale !== -host.Errno.ENOENT) unwrap(stale, "remove", TEMPORARY_NAME);
    const flags = host.OpenFlag.WRONLY | host.OpenFlag.EXCL | host.OpenFlag.CREAT;
    unwrap(
      fileSystem.create(
        ROOT_NODE_ID,
        TEMPORARY_NAME,
        flags,
        FILE_MODE,
        this.owner,
        this.#entry,
        this.#open,
      ),
      "create",
      TEMPORARY_NAME,
    );
    const { nodeId } = this.#entry;
    const { handle } = this.#open;
    try {
      this.#write(nodeId, handle, text);
    } finally {
      fileSystem.release(nodeId, handle);
      fileSystem.forget(nodeId, 1);
    }
    unwrap(fileSystem.rename(ROOT_NODE_ID, TEMPORARY_NAME, ROOT_NODE_ID, name, 0), "rename", name);
    this.#syncRoot();
  }

  #write(nodeId: number, handle: number, text: string): void {
    const bytes = new TextEncoder().encode(text);
    if (bytes.length > 0) {
      const source = host.nativeBufferOf(bytes);
      const count = this.fileSystem.write(nodeId, handle, 0, bytes.length, source, 0, false);
      if (unwrap(count, "write", TEMPORARY_NAME) < bytes.length) {
        throw new host.OsError(host.Errno.ENOSPC, "write", TEMPORARY_NAME);
      }
    }
    unwrap(this.fileSystem.fsync(nodeId, handle, false), "fsync", TEMPORARY_NAME);
  }

  #syncRoot(): void {
    unwrap(this.fileSystem.opendir(ROOT_NODE_ID, this.#open), "open", "/");
    const { handle } = this.#open;
    const result = this.fileSystem.fsyncdir(ROOT_NODE_ID, handle, false);
    this.fileSystem.releasedir(ROOT_NODE_ID, handle);
    unwrap(result, "fsync", "/");
  }
}
