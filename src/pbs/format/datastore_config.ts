/**
 * A server's list of its datastores, `/etc/proxmox-backup/datastore.cfg`:
 *
 *     datastore: main
 *         path /mnt/datastore/main
 *         maintenance-mode type=read-only,message=move
 *
 * @module
 */

/** A datastore of a server. */
export interface ServedDatastore {
  readonly name: string;
  /** Its directory; "" where there is none in the list. */
  readonly path: string;
  /**
   * What the server refuses at the moment: `read-only`, `offline` and others; undefined: nothing.
   */
  readonly maintenance: string | undefined;
  /** Where chunks are kept: `filesystem` or `s3`. */
  readonly backend: string;
}

/** Where a server mounts datastores on removable media, by their names. */
const REMOVABLE_PATH = "/mnt/datastore";
const HEADER = /^datastore:\s*(\S+)\s*$/u;
const OPTION = /^\s+(\S+)\s+(.*?)\s*$/u;

/** Reads such a list; what is no datastore in it is passed over. */
export function parseDatastoreConfig(text: string): ServedDatastore[] {
  const sections: { name: string; options: Map<string, string> }[] = [];
  let options: Map<string, string> | undefined;
  for (const line of text.split("\n")) {
    const [, key, value] = OPTION.exec(line) ?? [];
    if (key !== undefined) {
      options?.set(key, value!);
      continue;
    }
    const name = HEADER.exec(line)?.[1];
    // The options of another kind of section are not those of the one before.
    options = name === undefined ? undefined : new Map();
    if (name !== undefined) sections.push({ name, options: options! });
  }
  return sections.map(({ name, options }) => ({
    name,
    path: pathOf(name, options),
    maintenance: typeIn(options.get("maintenance-mode")),
    backend: typeIn(options.get("backend")) ?? "filesystem",
  }));
}

function pathOf(name: string, options: ReadonlyMap<string, string>): string {
  const path = options.get("path") ?? "";
  return options.has("backing-device") ? `${REMOVABLE_PATH}/${name}/${path}` : path;
}

/** The value of `type`, whose name may be left out, in `type=…,message=…`. */
function typeIn(properties: string | undefined): string | undefined {
  const parts = properties?.split(",").map((part) => part.trim()) ?? [];
  const named = parts.find((part) => part.startsWith("type="))?.slice("type=".length);
  return named ?? parts.find((part) => part !== "" && !part.includes("="));
}
