/**
 * Ways through an HTTP proxy: the CONNECT method, whose answer is a stream to the server behind it.
 *
 * @module
 */

import type { Socket } from "node:net";
import { ProtocolError, UsageError } from "#src/errors.ts";
import { connectionLost } from "#src/net/connection.ts";

/** An HTTP proxy. */
export interface Proxy {
  /** Without the brackets of IPv6 addresses. */
  readonly host: string;
  /** Where it listens. */
  readonly port: number;
  /** `user:password`, decoded, where the address has them. */
  readonly login: string | undefined;
}

const PORT_DEFAULT = 1080;
const HEAD_SIZE_MAX = 16_384;
const ADDRESS =
  /^(?:http:\/\/)?(?:(?<login>[^@/\s]*)@)?(?<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?<port>\d{1,5}))?\/?$/u;

/**
 * The proxy that a value of `ALL_PROXY` names, `[http://][user:password@]host[:port]`; undefined
 * when it is empty.
 *
 * @throws {UsageError} when it is something else
 */
export function parseProxy(text: string): Proxy | undefined {
  if (text.trim() === "") return undefined;
  const { login, host, port } = ADDRESS.exec(text.trim())?.groups ?? {};
  const number = port === undefined ? PORT_DEFAULT : Number(port);
  const isDecodable = login === undefined || !/%(?![0-7][0-9A-Fa-f])/u.test(login);
  if (host === undefined || number < 1 || number > 65_535 || !isDecodable) {
    throw new UsageError(`Cannot use "${withoutLogin(text)}" of ALL_PROXY as an HTTP proxy`, {
      hint: "Expected [http://]host[:port]",
    });
  }
  return {
    host: host.replace(/^\[(.*)\]$/u, "$1"),
    port: number,
    login: login && decodeURIComponent(login),
  };
}

/** Messages must not show a password. */
function withoutLogin(text: string): string {
  return text.replace(/^([^:/]*:\/\/)?.*@/u, "$1");
}

/**
 * Asks the proxy at the other end of a connected socket for the way to a server; afterwards the
 * socket is that way. Whoever waits ends it by destroying the socket.
 *
 * @throws {ProtocolError} when the proxy refuses
 */
export async function tunnel(
  socket: Socket,
  proxy: Proxy,
  target: { readonly host: string; readonly port: number },
): Promise<void> {
  const host = target.host.includes(":") ? `[${target.host}]` : target.host;
  const name = `${host}:${target.port}`;
  const authorization = proxy.login === undefined
    ? ""
    : `Proxy-Authorization: Basic ${new TextEncoder().encode(proxy.login).toBase64()}\r\n`;
  const proxyName = `the proxy ${proxy.host}:${proxy.port}`;
  const answered = readHead(socket, proxyName);
  socket.write(`CONNECT ${name} HTTP/1.1\r\nHost: ${name}\r\n${authorization}\r\n`);
  const head = await answered;
  const status = /^HTTP\/1\.[01] (\d{3})(?: ([^\r\n]*))?\r?\n/u.exec(head);
  if (status === null) {
    throw new ProtocolError(`${target.host} cannot be reached: ${proxyName} does not speak HTTP`);
  }
  if (!status[1]!.startsWith("2")) {
    const isTemporary = /^50[234]$/u.test(status[1]!);
    const reason = `${status[1]} ${status[2] ?? ""}`.trim();
    throw new ProtocolError(`${name} cannot be reached: ${proxyName} says ${reason}`, {
      code: "proxy",
      isTemporary,
    });
  }
}

/** The head of the answer; what comes behind it stays in the socket. */
function readHead(socket: Socket, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let head = "";
    const finish = (settle: () => void) => {
      socket.off("data", take).off("error", fail).off("close", close).off("end", close);
      settle();
    };
    const fail = (cause: Error) => finish(() => reject(connectionLost(name, cause)));
    const close = () => fail(new Error("it was closed without an answer"));
    const take = (bytes: Uint8Array) => {
      // One character a byte.
      head += String.fromCharCode(...bytes.subarray(0, HEAD_SIZE_MAX + 4 - head.length));
      const end = /\r?\n\r?\n/u.exec(head);
      if (end === null) {
        if (head.length > HEAD_SIZE_MAX) fail(new Error("the answer has no end"));
        return;
      }
      // A server that speaks first would be heard here: the one behind does not, in TLS.
      socket.pause();
      finish(() => resolve(head));
    };
    socket.on("data", take).on("error", fail).on("close", close).on("end", close);
  });
}
