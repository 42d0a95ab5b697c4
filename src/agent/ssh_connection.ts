/**
 * A connection to a client through the user's own ssh, which starts the client on the other host.
 *
 * @module
 */

import { ProtocolError, StateError, UsageError } from "#src/errors.ts";
import { shellWord } from "#src/bytes/shell_word.ts";
import { type Connection, CONNECTION_LOST } from "#src/net/connection.ts";
import { StreamConnection } from "./stream_connection.ts";

/** Which client is started where. */
export interface SshTarget {
  /** As ssh takes it: also a name of its configuration. */
  readonly host: string;
  /** Undefined: as ssh's configuration says. */
  readonly user: string | undefined;
  /** Undefined: as ssh's configuration says. */
  readonly port: number | undefined;
  /** Directories that the client is to serve. */
  readonly roots: readonly string[];
}

/** How it is started. */
export interface SshOptions {
  /** A command line instead of `ssh`, such as `ssh -i key`; run by the shell. */
  readonly sshCommand?: string | undefined;
  /** What starts this program there, such as `sudo pbkfs`; taken by that host's shell as it is. */
  readonly remoteProgram?: string | undefined;
  /** Whether the client reads extended attributes; default: true. */
  readonly xattrs?: boolean | undefined;
  /** Gets what ssh and the client write for people. */
  readonly onMessage?: ((text: string) => void) | undefined;
}

const PROGRAM = "pbkfs";

/** What is kept of the messages, to explain a failure. */
const MESSAGES_LENGTH_MAX = 2_000;
/** For what was said before ssh has ended and is still to be read. */
const LAST_MESSAGES_MS = 500;
/** Exit code of ssh when there is no connection. */
const SSH_FAILED = 255;
/** Exit code of a shell that does not find the command. */
const COMMAND_NOT_FOUND = 127;

/**
 * Starts ssh; the connection begins when the client speaks.
 *
 * @throws {UsageError} when a name would be taken for an option
 * @throws {StateError} `not-found` when there is no ssh
 */
export function connectSsh(
  target: SshTarget,
  options: SshOptions = {},
  signal?: AbortSignal,
): Connection {
  const [program, args] = sshCommandLine(target, options);
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      ...(signal === undefined ? {} : { signal }),
    }).spawn();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new StateError("not-found", `There is no program "${program}"`, { cause });
  }
  const messages = new Messages(child.stderr, options.onMessage);
  return new StreamConnection({
    peer: target.host,
    incoming: child.stdout,
    outgoing: child.stdin,
    closed: child.status,
    onPeerEnd: async () => {
      const { code, signal } = await child.status;
      await messages.end();
      if (code !== 0) throw explain(target.host, options, code, signal, messages.text);
    },
    onDestroy: () => {
      try {
        child.kill("SIGTERM");
      } catch {
        // It has ended.
      }
    },
  });
}

/** Program and arguments. @throws {UsageError} */
export function sshCommandLine(
  { host, user, port, roots }: SshTarget,
  { sshCommand, remoteProgram = PROGRAM, xattrs = true }: SshOptions,
): [program: string, args: string[]] {
  for (const name of [host, user ?? "root"]) {
    // ssh would take it for an option, which may name a command to run here.
    if (name === "" || name.startsWith("-")) {
      throw new UsageError(`"${name}" is not a name of a host or user for ssh`);
    }
  }
  const remote = [
    remoteProgram,
    "agent",
    "--stdio",
    ...(xattrs ? [] : ["--no-xattrs"]),
    ...roots.map((root) => `--root ${shellWord(root)}`),
  ].join(" ");
  const args = [
    "-T",
    ...(port === undefined ? [] : ["-p", String(port)]),
    ...(user === undefined ? [] : ["-l", user]),
    "--",
    host,
    remote,
  ];
  if (sshCommand === undefined) return ["ssh", args];
  return ["sh", ["-c", `exec ${sshCommand} "$@"`, "ssh", ...args]];
}

/** What ssh and the client say for people. */
class Messages {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #ended: Promise<void>;
  /** The end of it. */
  text = "";

  constructor(stream: ReadableStream<Uint8Array>, onMessage?: (text: string) => void) {
    this.#reader = stream.getReader();
    this.#ended = this.#read(onMessage).catch(() => {});
  }

  /**
   * Takes what is left when ssh has ended. What ssh has started may outlive it and keep the stream
   * open: nobody waits for that.
   */
  async end(): Promise<void> {
    const timer = setTimeout(() => this.#reader.cancel().catch(() => {}), LAST_MESSAGES_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  async #read(onMessage: ((text: string) => void) | undefined): Promise<void> {
    const decoder = new TextDecoder();
    while (true) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      const text = decoder.decode(value, { stream: true });
      this.text = (this.text + text).slice(-MESSAGES_LENGTH_MAX);
      onMessage?.(text);
    }
  }
}

function explain(
  host: string,
  { remoteProgram = PROGRAM }: SshOptions,
  code: number,
  signal: Deno.Signal | null,
  messages: string,
): ProtocolError {
  const said = messages.trim().split("\n").at(-1)?.trim() ?? "";
  const words = said === "" ? "" : `: ${said}`;
  if (signal !== null) {
    return new ProtocolError(`The ssh to ${host} was ended by ${signal}${words}`, CONNECTION_LOST);
  }
  if (code === SSH_FAILED) {
    return new ProtocolError(`There is no way to ${host} by ssh${words}`, CONNECTION_LOST);
  }
  if (code === COMMAND_NOT_FOUND) {
    return new ProtocolError(`${host} has no program "${remoteProgram}"${words}`, {
      code: "not-found",
      option: "remoteProgram",
      hint: "Name the program as it is called there",
    });
  }
  return new ProtocolError(`The agent on ${host} has ended with exit code ${code}${words}`);
}
