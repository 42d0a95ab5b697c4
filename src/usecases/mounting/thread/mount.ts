/**
 * Mounts for programs that use the library.
 *
 * @module
 */

import { ProtocolError } from "#src/errors.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import type { LogLevelName } from "#src/log/level.ts";
import type { EndOptions } from "#src/mount/mount.ts";
import type { LendMessage } from "#src/mount/worker_protocol.ts";
import type { SourceKindName } from "#src/sources/name.ts";
import type { Credentials, NamedServer } from "#src/sources/source.ts";
import { formatFailure, parseFailure } from "#src/threads/failure_text.ts";
import { startThread, threadName } from "#src/threads/thread.ts";
import { type MountRequest, WHOLE_COPY_BYTES_MAX, type WritableRequest } from "../mount_request.ts";
import { nameToMount } from "../named_source.ts";
import type { Owner } from "#src/tree/attribute_override_tree.ts";
import type { Setting } from "../server_settings.ts";
import { spawnThread } from "../../threads.ts";
import {
  type FromMountThread,
  MOUNT_ROLE,
  type MountThreadStart,
  type ToMountThread,
} from "./thread_messages.ts";

/** How a source is mounted. */
export interface MountOptions {
  /** An existing, empty directory. */
  readonly mountPath: string;
  /**
   * Directory for what is written, made when it is missing; the source stays as it is. Default: the
   * mount is read-only.
   */
  readonly diffPath?: string | undefined;
  /** Where keys of encrypted sources come from. Default: there are none. */
  readonly credentials?: Credentials | undefined;
  /** Users other than this one may enter. Default: those of root may. */
  readonly allowOther?: boolean | undefined;
  /** Threads that answer the kernel. Default: 2 to 4, by processors. */
  readonly threadCount?: number | undefined;
  /** How long a request may wait for the source before it fails with EIO. Default: for ever. */
  readonly ioTimeoutMs?: number | undefined;
  /** Hold the lock that pg_probackup's readers hold on a chain. Default: where it can be had. */
  readonly lock?: boolean | undefined;
  /** Where the mount logs. Default: `.pbkfs/pbkfs.log` in the mount, or nowhere without a diff. */
  readonly logPath?: string | undefined;
  /** Default: `info`. */
  readonly logLevel?: LogLevelName | undefined;
  /** With a diff directory: mounts although writes are lost, or the source has changed. */
  readonly force?: boolean | undefined;
  /**
   * With a diff directory: files have extended attributes and ACLs. Default: all but those of a
   * backup of pg_probackup, where they would slow the server down.
   */
  readonly extendedAttributes?: boolean | undefined;
  /** With a diff directory: owner of all files. Default: as before, or as the source has it. */
  readonly owner?: Owner | undefined;
  /** With a diff directory: settings of a PostgreSQL server, added to its configuration. */
  readonly settings?: readonly Setting[] | undefined;
  /** With a diff directory: keeps writes to `pg_wal` only while mounted. Default: false. */
  readonly noWal?: boolean | undefined;
  /**
   * With a diff directory: it is removed after the mount, so nothing in it is made durable, and it
   * cannot be mounted again. Default: false.
   */
  readonly isThrowaway?: boolean | undefined;
}

/** A mount that is being served. Disposing of it unmounts, also when files are open. */
export interface Mount extends AsyncDisposable {
  /** Where it is: absolute, without links. */
  readonly mountPath: string;
  /**
   * Settles when the mount has ended, from here or from outside, and everything that was written is
   * durable; rejected when that failed.
   */
  readonly closed: Promise<void>;
  /**
   * Ends the mount, and returns when {@link Mount.closed} is settled.
   *
   * @param options default: refuses while files are in use
   * @throws {StateError} `busy` when files are in use and it refuses: the mount goes on; `timeout`
   *   when it was detached but files are still open: they are served until they are closed
   * @throws what {@link Mount.closed} is rejected with
   */
  unmount(options?: EndOptions): Promise<void>;
}

/**
 * Mounts a source, and returns when the mount answers. It is served by threads of this process,
 * which must live as long; nothing of the process itself is changed: signals, umask, working
 * directory, log. A process that ends without {@link Mount.unmount} leaves a mount behind that
 * answers nothing; the next mount there removes it. Needs FFI and libfuse3.
 *
 * @example
 * ```ts
 * import { mount } from "@pbkfs/pbkfs/mounting";
 *
 * export async function firstLine(archive: string, directory: string): Promise<string> {
 *   await using mounted = await mount(archive, { mountPath: directory });
 *   const text = await Deno.readTextFile(`${mounted.mountPath}/etc/hostname`);
 *   return text.split("\n")[0]!;
 * }
 * ```
 *
 * @param source such as `/backups#main/latest`, `a.pxar` or `pbs:/store#host/elsa/latest/root.pxar`
 * @throws {UsageError} when the name says too little, or the directories cannot be used
 * @throws {StateError} `not-found`; `busy` where something is mounted already; what a diff
 *   directory is refused for
 * @throws {Failure} what opening the source throws
 */
export async function mount(source: string, options: MountOptions): Promise<Mount> {
  const name = nameToMount(source);
  const request = requestOf(options, name.kind);
  const { port1: port, port2 } = new MessageChannel();
  const thread = spawnThread(threadName(MOUNT_ROLE, 0));
  const served = new ThreadMount(port, request.writable !== undefined, options.credentials);
  thread.onerror = (event) => {
    event.preventDefault();
    served.fail(new ProtocolError(`The thread of the mount failed: ${event.message}`));
  };
  const { lock = true } = options;
  const start: MountThreadStart = { source: name, request, lockCatalog: lock, port: port2 };
  startThread(thread, start, [port2]);
  await served.answering;
  return served;
}

class ThreadMount implements Mount {
  readonly #port: MessagePort;
  readonly #isWritable: boolean;
  readonly #credentials: Credentials | undefined;
  /** Threads that serve, by name. */
  readonly #workers = new Map<string, Worker>();
  readonly #answering = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #refused = Promise.withResolvers<never>();
  #mountPath = "";

  constructor(port: MessagePort, isWritable: boolean, credentials: Credentials | undefined) {
    this.#port = port;
    this.#isWritable = isWritable;
    this.#credentials = credentials;
    port.onmessage = ({ data }) => this.#receive(data as FromMountThread);
    // Who does not ask has not to be told.
    this.#ended.promise.catch(() => {});
  }

  get mountPath(): string {
    return this.#mountPath;
  }

  /** Settles when the mount answers, or there is none. */
  get answering(): Promise<void> {
    return this.#answering.promise;
  }

  get closed(): Promise<void> {
    return this.#ended.promise;
  }

  async unmount(options: EndOptions = { whenBusy: "refuse" }): Promise<void> {
    this.#refused = Promise.withResolvers();
    this.#send({ type: "unmount", ...options });
    await Promise.race([this.closed, this.#refused.promise]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unmount({ whenBusy: "detach" });
  }

  /** Nothing will come from the thread any more. */
  fail(error: Error): void {
    this.#answering.reject(error);
    this.#ended.reject(error);
    for (const worker of this.#workers.values()) worker.terminate();
    this.#port.close();
  }

  #receive(message: FromMountThread): void {
    switch (message.type) {
      case "mounted":
        this.#mountPath = message.mountPath;
        return this.#answering.resolve();
      case "refused":
        return this.#refused.reject(parseFailure(message.error));
      case "key-wanted":
        return void this.#sendKey(message.fingerprint);
      case "login-wanted":
        return void this.#sendLogin(message.server);
      case "worker-wanted":
        return this.#lendWorker(message.name, message.port);
      case "worker-terminated":
        return this.#workers.get(message.name)?.terminate();
      case "ended":
        if (message.error !== undefined) return this.fail(parseFailure(message.error));
        this.#ended.resolve();
        this.#port.close();
    }
  }

  #lendWorker(name: string, port: MessagePort): void {
    const fail = (message: string) => this.#send({ type: "worker-failed", name, message });
    try {
      const worker = spawnThread(name);
      this.#workers.set(name, worker);
      worker.onerror = (event) => {
        event.preventDefault();
        fail(event.message);
      };
      const lend: LendMessage = { port, unshares: this.#isWritable };
      worker.postMessage(lend, [port]);
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error));
    }
  }

  async #sendKey(fingerprint: string): Promise<void> {
    try {
      const key = await this.#credentials?.encryptionKey(fingerprint);
      this.#send({ type: "key", key });
    } catch (error) {
      this.#send({ type: "no-key", error: formatFailure(error) });
    }
  }

  async #sendLogin(server: NamedServer): Promise<void> {
    try {
      const login = await this.#credentials?.serverLogin?.(server);
      this.#send({ type: "login", login });
    } catch (error) {
      this.#send({ type: "no-login", error: formatFailure(error) });
    }
  }

  #send(message: ToMountThread): void {
    this.#port.postMessage(message);
  }
}

function requestOf(options: MountOptions, kind: SourceKindName): MountRequest {
  const { mountPath, allowOther, threadCount, ioTimeoutMs, logPath } = options;
  return {
    mountPath: absolutePath(mountPath),
    allowOther,
    workerCount: threadCount,
    ioTimeoutMs,
    log: {
      format: "text",
      sink: "file",
      path: logPath && absolutePath(logPath),
      level: options.logLevel ?? "info",
    },
    writable: writableOf(options, kind),
  };
}

function writableOf(options: MountOptions, kind: SourceKindName): WritableRequest | undefined {
  const { diffPath, force = false, owner, settings = [], isThrowaway = false } = options;
  if (diffPath === undefined) return undefined;
  return {
    diffPath: absolutePath(diffPath),
    force,
    skipFsync: isThrowaway,
    isThrowaway,
    materializeOnRead: false,
    // What is thrown away soon does not pay for the copies that make it fast.
    wholeCopyBytesMax: isThrowaway ? 0 : WHOLE_COPY_BYTES_MAX,
    extendedAttributes: options.extendedAttributes ?? kind !== "pgpro",
    postgres: { noWal: options.noWal === true, settings, owner },
  };
}
