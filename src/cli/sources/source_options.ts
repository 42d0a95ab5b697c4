/**
 * The options of commands that open sources: the secrets that one may need, and the way to the
 * server that it may be on. What the source is, its name says.
 *
 * @module
 */

import type { Command } from "commander";
import { KEY_PLACE_ENVIRONMENT } from "#src/usecases/keys/key_places.ts";
import { KEY_PASSWORD_ENVIRONMENT } from "#src/usecases/keys/secrets.ts";
import { addKeyOptions, type KeyOptions } from "../keys/key_choice.ts";
import { addCacheOptions, type CacheFlags } from "../options/cache.ts";
import { addServerOptions, SERVER_ENVIRONMENT, type ServerFlags } from "../options/server.ts";

/** Values of {@link addSourceOptions}. */
export interface SourceOptions extends KeyOptions, ServerFlags, CacheFlags {}

/** How help calls the argument that is a name. */
export const SOURCE_ARGUMENT = "backup, archive, snapshot or directory: [KIND:]PLACE[#ITEM]";

/** Environment variables of commands that open sources, for their help. */
export const SOURCE_ENVIRONMENT: Readonly<Record<string, string>> = {
  ...SERVER_ENVIRONMENT,
  ...KEY_PASSWORD_ENVIRONMENT,
  ...KEY_PLACE_ENVIRONMENT,
};

/** Adds them. */
export function addSourceOptions(command: Command): Command {
  return addCacheOptions(addServerOptions(addKeyOptions(command)));
}
