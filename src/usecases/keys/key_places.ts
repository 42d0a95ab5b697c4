/**
 * Where keys lie that no option names.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import type { Environment } from "./secrets.ts";

/** Environment variables that say where keys lie, for the help of commands. */
export const KEY_PLACE_ENVIRONMENT: Readonly<Record<string, string>> = {
  XDG_CONFIG_HOME: "keys without a path are in proxmox-backup below it; default is $HOME/.config",
};

/** Default place of the encryption key; undefined for somebody without a home. */
export function defaultKeyPath(context: Environment): string | undefined {
  return configPath(context, "encryption-key.json");
}

/** Default place of the public master key; undefined for somebody without a home. */
export function defaultMasterKeyPath(context: Environment): string | undefined {
  return configPath(context, "master-public.pem");
}

/** The path, if there is something. */
export function existingPath(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    Deno.statSync(path);
    return path;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** A default place that must be known. @throws {UsageError} */
export function knownPlace(path: string | undefined): string {
  if (path !== undefined) return path;
  throw new UsageError(
    "There is no default place for keys: neither XDG_CONFIG_HOME nor HOME is set",
    {
      hint: "Give the path of the file",
    },
  );
}

function configPath(context: Environment, name: string): string | undefined {
  const directory = configDirectory(context);
  return directory === undefined ? undefined : `${directory}/proxmox-backup/${name}`;
}

/** Where somebody's programs keep their settings; undefined for somebody without a home. */
export function configDirectory(context: Environment): string | undefined {
  const config = context.environment("XDG_CONFIG_HOME");
  if (config !== undefined && config !== "") return config;
  const home = context.environment("HOME");
  return home === undefined || home === "" ? undefined : `${home}/.config`;
}
