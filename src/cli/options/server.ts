/**
 * Options about the way to a server.
 *
 * @module
 */

import type { Command } from "commander";
import { UsageError } from "#src/errors.ts";
import type { Rate } from "#src/net/rate_limit.ts";
import { SERVER_PASSWORD } from "#src/usecases/keys/secrets.ts";
import type { ServerOptions } from "#src/usecases/datastore/server_login.ts";
import { parseByteCount } from "./byte_count.ts";

/** Values of {@link addServerOptions}. */
export interface ServerFlags {
  readonly fingerprint?: string;
  readonly rate?: string;
  readonly burst?: string;
}

/** Environment variables of commands that reach a server, for their help. */
export const SERVER_ENVIRONMENT: Readonly<Record<string, string>> = {
  [SERVER_PASSWORD]: "password of the user, or secret of the API token",
  [`${SERVER_PASSWORD}_FD`]: "descriptor that it can be read from",
  [`${SERVER_PASSWORD}_FILE`]: "file whose first line it is",
  [`${SERVER_PASSWORD}_CMD`]: "command line whose output it is",
  PBS_FINGERPRINT: "of the server's certificate, where --fingerprint is not given",
  ALL_PROXY: "HTTP proxy: [http://]host[:port]",
  SSL_CERT_FILE: "certificates of authorities in place of the system's",
};

/** The options by which commands say how a server is reached. */
export function addServerOptions(command: Command): Command {
  return command
    .option(
      "--fingerprint <fingerprint>",
      "of the server's certificate (SHA-256); else the value of PBS_FINGERPRINT",
    )
    .option("--rate <bytes>", "at most so many bytes a second in each direction, such as 10MiB")
    .option("--burst <bytes>", "so many bytes at once after a rest; default is what --rate is");
}

/** What the options say. @throws {UsageError} */
export function serverOptionsOf({ fingerprint, rate, burst }: ServerFlags): ServerOptions {
  if (burst !== undefined && rate === undefined) {
    throw new UsageError("Cannot use --burst without --rate", { option: "--burst" });
  }
  return { fingerprint, rate: rate === undefined ? undefined : rateOf(rate, burst ?? rate) };
}

function rateOf(rate: string, burst: string): Rate {
  return {
    bytesPerSecond: parseByteCount(rate, "--rate"),
    burstBytes: parseByteCount(burst, "--burst"),
  };
}
