/**
 * Reads the greeting of a client. What comes instead of one is told: the words of a login shell, of
 * a program that is something else, of an older or newer one.
 *
 * @module
 */

import { concatenate } from "#src/bytes/concatenate.ts";
import { AuthError, ProtocolError } from "#src/errors.ts";
import type { Connection } from "#src/net/connection.ts";
import { within } from "#src/net/deadline.ts";
import { CERTIFICATE_CODE } from "#src/net/tls/connect.ts";
import { type Frame, FRAME_PREFIX_SIZE, FrameKind, FrameSplitter } from "./format/frame.ts";
import {
  type AgentHello,
  commonVersion,
  decodeAgentHello,
  HELLO_SIZE_MAX,
  VERSIONS,
} from "./format/hello.ts";
import { decodeFailure } from "./format/request.ts";

const QUOTED_SIZE_MAX = 200;

/**
 * Waits for the greeting; what comes behind it is left on the connection.
 *
 * @throws {ProtocolError} when there is none in time, or its version is not spoken here
 * @throws {AuthError} `certificate` when the client does not know this program's certificate
 */
export async function greet(
  connection: Connection,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<AgentHello> {
  const read = () => readFirstFrame(connection);
  const frame = await within(connection, timeoutMs, "has not greeted", read, signal);
  const { peer } = connection;
  if (frame.type === FrameKind.ERROR) {
    const { code, message } = decodeFailure(frame.payload);
    if (code === CERTIFICATE_CODE) throw new AuthError(`${peer}: ${message}`, { code });
    throw new ProtocolError(`${peer}: ${message}`, { code });
  }
  const hello = decodeAgentHello(frame.payload);
  if (commonVersion(VERSIONS, hello.versions) !== undefined) return hello;
  const { program, versions } = hello;
  throw new ProtocolError(
    `${peer} (${program}) speaks versions ${versions.min} to ${versions.max} of the protocol, ` +
      `this program ${VERSIONS.min} to ${VERSIONS.max}`,
    { code: "unsupported", hint: "Bring both programs to the same release" },
  );
}

async function readFirstFrame(connection: Connection): Promise<Frame> {
  let bytes = new Uint8Array();
  while (true) {
    const more = await connection.read();
    if (more === undefined) throw noGreeting(connection.peer, bytes);
    bytes = concatenate([bytes, more]);
    if (bytes.length < FRAME_PREFIX_SIZE) continue;
    const size = FRAME_PREFIX_SIZE + new DataView(bytes.buffer).getUint32(0, true);
    const isFrame = size <= FRAME_PREFIX_SIZE + HELLO_SIZE_MAX &&
      (bytes[8] === FrameKind.HELLO || bytes[8] === FrameKind.ERROR);
    if (!isFrame) throw noGreeting(connection.peer, bytes);
    if (bytes.length < size) continue;
    connection.unread(bytes.subarray(size));
    const [frame] = new FrameSplitter().push(bytes.subarray(0, size));
    return frame!;
  }
}

function noGreeting(peer: string, bytes: Uint8Array): ProtocolError {
  if (bytes.length === 0) return new ProtocolError(`${peer} has ended without a greeting`);
  const text = new TextDecoder().decode(bytes.subarray(0, QUOTED_SIZE_MAX));
  return new ProtocolError(
    `${peer} has not greeted but said ${JSON.stringify(text)}`,
    { hint: "A login shell must print nothing when no terminal is there" },
  );
}
