/**
 * What a server says that it is.
 *
 * @module
 */

import * as v from "valibot";
import type { NetworkLink } from "./network_link.ts";
import { answerOf } from "./rest_answers.ts";

/** As servers tell it. */
export interface ServerVersion {
  readonly version: string;
  readonly release: string;
  readonly repoid?: string | undefined;
}

const VERSION = v.object({
  version: v.string(),
  release: v.string(),
  repoid: v.nullish(v.string()),
});

/** Asks a server. @param server what messages call it @throws {ProtocolError} */
export function readServerVersion(link: NetworkLink, server: string): ServerVersion {
  const { version, release, repoid } = answerOf(VERSION, link.rest("GET", "version"), server);
  return { version, release, repoid: repoid ?? undefined };
}
