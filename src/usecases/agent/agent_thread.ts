/**
 * A client in a thread that may do nothing but read below its roots, by the runtime's own calls,
 * and reach the network where it listens.
 *
 * @module
 */

import { ProtocolError } from "#src/errors.ts";
import { formatFailure, parseFailure } from "#src/threads/failure_text.ts";
import { startThread, threadName, threadsFrom } from "#src/threads/thread.ts";
import { workerUrl } from "../threads.ts";
import { AGENT_ROLE } from "./agent_role.ts";
import {
  listenForBackups,
  type ListeningFiles,
  type ServedFiles,
  serveStandardStreams,
  type StartedClient,
} from "./serve_files.ts";

/** What cannot be sent to a thread. */
type Callbacks = "signal" | "onReady" | "onNotice";

interface AgentThreadStart {
  /** What is served over standard input and output; else over the network. */
  readonly served: ServedFiles | undefined;
  readonly listening: Omit<ListeningFiles, Callbacks> | undefined;
  readonly port: MessagePort;
}

type FromAgentThread =
  | { readonly type: "ready"; readonly started: StartedClient }
  | { readonly type: "notice"; readonly message: string }
  /** With the text of `formatFailure()` where it has failed. Nothing follows. */
  | { readonly type: "ended"; readonly error: string | undefined };

/** As {@link serveStandardStreams}, in a thread of its own. */
export function serveStandardStreamsConfined(served: ServedFiles): Promise<void> {
  return runThread(served.roots, { served, listening: undefined });
}

/** As {@link listenForBackups}, in a thread of its own. */
export function listenForBackupsConfined(client: ListeningFiles): Promise<void> {
  const { signal: _, onReady: __, onNotice: ___, ...listening } = client;
  return runThread(client.roots, { served: undefined, listening }, client);
}

async function runThread(
  roots: readonly string[],
  start: Omit<AgentThreadStart, "port">,
  callbacks?: Pick<ListeningFiles, Callbacks>,
): Promise<void> {
  const spawn = threadsFrom(workerUrl(), {
    read: [...roots],
    net: start.listening === undefined ? false : "inherit",
    write: false,
    ffi: false,
    run: start.listening?.allowsHooks === true || start.served?.allowsHooks === true
      ? "inherit"
      : false,
    env: false,
    sys: false,
    import: false,
  });
  const thread = spawn(threadName(AGENT_ROLE, 0));
  const { port1, port2 } = new MessageChannel();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  thread.onerror = (event) => {
    event.preventDefault();
    reject(new ProtocolError(`The thread that serves files has failed: ${event.message}`));
  };
  port1.onmessage = ({ data }: MessageEvent<FromAgentThread>) => {
    if (data.type === "ready") callbacks?.onReady(data.started);
    else if (data.type === "notice") callbacks?.onNotice(data.message);
    else if (data.error === undefined) resolve();
    else reject(parseFailure(data.error));
  };
  // The only message there is: it is to end.
  callbacks?.signal.addEventListener("abort", () => port1.postMessage(undefined));
  startThread(thread, { ...start, port: port2 } satisfies AgentThreadStart, [port2]);
  try {
    await promise;
  } finally {
    port1.close();
    thread.terminate();
  }
}

/** Serves what {@link AgentThreadStart} says; the thread's side. Never throws. */
export async function runAgentThread(start: unknown): Promise<void> {
  const { served, listening, port } = start as AgentThreadStart;
  const send = (message: FromAgentThread) => port.postMessage(message);
  const end = new AbortController();
  port.onmessage = () => end.abort();
  let error: string | undefined;
  try {
    if (served !== undefined) await serveStandardStreams(served);
    if (listening !== undefined) {
      await listenForBackups({
        ...listening,
        signal: end.signal,
        onReady: (started) => send({ type: "ready", started }),
        onNotice: (message) => send({ type: "notice", message }),
      });
    }
  } catch (thrown) {
    error = formatFailure(thrown);
  }
  send({ type: "ended", error });
}
