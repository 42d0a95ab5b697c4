/**
 * Secrets on their way from the launching process to the serving one, over its standard input.
 *
 * @module
 */

import * as v from "valibot";
import { ProtocolError } from "#src/errors.ts";
import type { LoginSecrets } from "../datastore/server.ts";

/** What the serving process cannot find out by itself. */
export interface LauncherSecrets {
  /** The 32 bytes of the encryption key. */
  readonly key: Uint8Array | undefined;
  /** For the server, where the snapshot is on one. */
  readonly login: LoginSecrets | undefined;
}

const SECRETS = v.object({
  key: v.nullable(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
  login: v.nullable(v.object({ password: v.string(), fingerprint: v.optional(v.string()) })),
});

/** The text that {@link readSecretsOfLauncher} reads. */
export function formatSecrets({ key, login }: LauncherSecrets): Uint8Array<ArrayBuffer> {
  const text = JSON.stringify({ key: key?.toHex() ?? null, login: login ?? null });
  return new TextEncoder().encode(text);
}

/** What the launcher hands over. @throws {ProtocolError} when it is cut off */
export function readSecretsOfLauncher(): LauncherSecrets {
  const parts: number[] = [];
  const buffer = new Uint8Array(4096);
  for (;;) {
    const count = Deno.stdin.readSync(buffer);
    if (count === null) break;
    parts.push(...buffer.subarray(0, count));
  }
  try {
    const text = new TextDecoder().decode(Uint8Array.from(parts));
    const { key, login } = v.parse(SECRETS, JSON.parse(text));
    return {
      key: key === null ? undefined : Uint8Array.fromHex(key),
      login: login === null
        ? undefined
        : { password: login.password, fingerprint: login.fingerprint },
    };
  } catch (cause) {
    throw new ProtocolError("The secrets did not come over from the launching process", { cause });
  }
}
