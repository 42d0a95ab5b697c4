/**
 * Fingerprints of certificates that somebody has confirmed; other programs for the same servers
 * read and write the same file: lines of `SERVER FINGERPRINT`.
 *
 * @module
 */

import { parseFingerprint } from "#src/net/tls/fingerprint.ts";
import { readPrivateFile, replacePrivateFile } from "./private_file.ts";

/** The file with the fingerprints. */
export class KnownFingerprints {
  readonly #path: string;

  /** `directory` is where programs keep their settings (`XDG_CONFIG_HOME`). */
  constructor(directory: string) {
    this.#path = `${directory}/proxmox-backup/fingerprints`;
  }

  /** That of a server; undefined when none is known. @throws {OsError | LimitError} */
  find(host: string): string | undefined {
    for (const line of this.#lines()) {
      const [name, fingerprint] = line.trim().split(/\s+/u);
      if (name === host && fingerprint !== undefined) return parsedOrNothing(fingerprint);
    }
    return undefined;
  }

  /** Keeps one, in place of what is known of the server. @throws {OsError | LimitError} */
  store(host: string, fingerprint: string): void {
    const others = this.#lines().filter((line) => line.trim().split(/\s+/u)[0] !== host);
    const lines = [...others, `${host} ${fingerprint}`];
    replacePrivateFile(this.#path, lines.map((line) => `${line}\n`).join(""));
  }

  #lines(): string[] {
    return readPrivateFile(this.#path).split("\n").filter((line) => line.trim() !== "");
  }
}

function parsedOrNothing(text: string): string | undefined {
  try {
    return parseFingerprint(text);
  } catch {
    return undefined;
  }
}
