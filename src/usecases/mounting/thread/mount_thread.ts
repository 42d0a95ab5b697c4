/**
 * A thread in which a mount lives, in a program that does more than that. What belongs to the whole
 * process stays as it is: signals, umask, working directory, name, log. Umask and directory can be
 * a thread's own on Linux, and those that it starts share them, so the mount has the same
 * surroundings as in a process of its own.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import type { MountedFileSystem } from "#src/mount/mount.ts";
import type { PoolWorker } from "#src/mount/worker_pool.ts";
import type { ServerConnection } from "#src/pbs/client/open_server.ts";
import type { ServerRepository } from "#src/pbs/client/repository.ts";
import type { ServerLogin } from "#src/pbs/client/server_login.ts";
import type { Credentials, NamedServer } from "#src/sources/source.ts";
import { formatFailure, parseFailure } from "#src/threads/failure_text.ts";
import type { MountFrame } from "../mount_frame.ts";
import { MountLife } from "../mount_life.ts";
import { namedSourceToMount } from "../named_source.ts";
import { workerUrl } from "../../threads.ts";
import type { FromMountThread, MountThreadStart, ToMountThread } from "./thread_messages.ts";

/** Mounts, serves until the mount has ended, and says so. Never throws. */
export async function runMountThread(start: MountThreadStart): Promise<void> {
  const { source, request, lockCatalog, port } = start;
  const frame = new ThreadFrame(port);
  let life: MountLife | undefined;
  let error: string | undefined;
  try {
    if (request.writable !== undefined) {
      host.unwrap(host.unshareUmaskAndDirectory(), "unshare", "umask");
    }
    const showing = { lockCatalog, relativeTablespaces: false };
    const toMount = namedSourceToMount(source, request.writable, frame, showing);
    life = new MountLife(request, toMount, frame);
    await life.run();
  } catch (thrown) {
    error = formatFailure(thrown);
  }
  await life?.flushLog();
  frame.send({ type: "ended", error });
  port.close();
}

/** The program on the other side of the port. */
class ThreadFrame implements MountFrame, Credentials {
  readonly #port: MessagePort;
  #mounted: MountedFileSystem | undefined;
  #key: PromiseWithResolvers<Uint8Array | undefined> | undefined;
  #login: PromiseWithResolvers<ServerLogin | undefined> | undefined;

  readonly #borrowed = new Map<string, BorrowedWorker>();

  /** Nobody finds this mount by its process, which is another one's. */
  readonly news = { update() {}, showStatistics() {} };
  readonly orders = { onStop() {}, stopHandled() {}, onHydration() {}, onStatistics() {} };
  readonly report = {
    mounted: (mounted: MountedFileSystem) => {
      this.#mounted = mounted;
      this.send({ type: "mounted", mountPath: mounted.mountPoint });
    },
  };

  constructor(port: MessagePort) {
    this.#port = port;
    port.onmessage = ({ data }) => this.#receive(data as ToMountThread);
  }

  send(message: FromMountThread): void {
    this.#port.postMessage(message);
  }

  /** What a thread starts, the runtime holds up for a second: the program starts it. */
  borrowWorker(name: string): PoolWorker {
    const { port1, port2: port } = new MessageChannel();
    const worker = new BorrowedWorker(
      port1,
      () => this.send({ type: "worker-terminated", name }),
    );
    this.#borrowed.set(name, worker);
    this.#port.postMessage({ type: "worker-wanted", name, port } satisfies FromMountThread, [port]);
    return worker;
  }

  encryptionKey(fingerprint: string): Promise<Uint8Array | undefined> {
    this.#key = Promise.withResolvers();
    this.send({ type: "key-wanted", fingerprint });
    return this.#key.promise;
  }

  serverLogin(server: NamedServer): Promise<ServerLogin | undefined> {
    this.#login = Promise.withResolvers();
    this.send({ type: "login-wanted", server });
    return this.#login.promise;
  }

  /** Connects by a thread of this program: that of the library is a file, which may not be here. */
  async connectServer(server: ServerRepository): Promise<ServerConnection> {
    const [{ connectStore }, { loginTo }, { networkThreadFrom }] = await Promise.all([
      import("#src/pbs/client/open_server.ts"),
      import("#src/sources/pbs/named_snapshot.ts"),
      import("#src/threads/network_thread.ts"),
    ]);
    const login = await loginTo(server, this);
    return connectStore({ login, store: server.store, spawn: networkThreadFrom(workerUrl()) });
  }

  #receive(message: ToMountThread): void {
    if (message.type === "key") this.#key?.resolve(message.key);
    else if (message.type === "no-key") this.#key?.reject(parseFailure(message.error));
    else if (message.type === "login") this.#login?.resolve(message.login);
    else if (message.type === "no-login") this.#login?.reject(parseFailure(message.error));
    else if (message.type === "worker-failed") {
      this.#borrowed.get(message.name)?.fail(message.message);
    } else {
      this.#mounted?.unmount(message).catch((error) =>
        this.send({ type: "refused", error: formatFailure(error) })
      );
    }
  }
}

/** A thread of the pool that the program has started: what is said to it goes by a port. */
class BorrowedWorker implements PoolWorker {
  readonly #port: MessagePort;
  readonly terminate: () => void;
  onerror: PoolWorker["onerror"] = null;

  constructor(port: MessagePort, terminate: () => void) {
    this.#port = port;
    this.terminate = () => {
      port.close();
      terminate();
    };
  }

  get onmessage(): PoolWorker["onmessage"] {
    return this.#port.onmessage as PoolWorker["onmessage"];
  }

  set onmessage(handler: PoolWorker["onmessage"]) {
    this.#port.onmessage = handler as MessagePort["onmessage"];
  }

  postMessage(message: unknown): void {
    this.#port.postMessage(message);
  }

  /** It has failed with an error that it did not catch. */
  fail(message: string): void {
    this.onerror?.call(this as unknown as Worker, new ErrorEvent("error", { message }));
  }
}
