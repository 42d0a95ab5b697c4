/**
 * Which folder may import which. Kept by `layers.ts` in every module; `scripts/tidy.ts` refuses
 * what nothing uses any more, so that the table shows the house as it stands.
 *
 * @module
 */

/**
 * A folder with rules of its own; `ffi/libc`, `ffi/libfuse3` and `src/x/format` stand for
 * themselves.
 */
export type Layer = string;

/** What each layer may import besides itself. A layer that is not listed may import anything. */
export const MAY_IMPORT: Readonly<Record<Layer, readonly Layer[]>> = {
  // C libraries know nothing of this program, libfuse's sessions only the C library.
  ffi: [],
  // System calls, which all may use who do more than to compute: files are what this is about.
  "ffi/libc": ["ffi"],
  "ffi/libfuse3": ["ffi", "ffi/libc"],
  // Imported by all; the base classes are in `ffi`, where calls of the system fail.
  errors: [],
  // Pure: bytes in, values out.
  bytes: ["errors"],
  format: ["bytes", "errors"],
  // What the rest speaks in.
  tree: ["bytes", "errors"],
  codecs: ["bytes", "errors", "io", "ffi", "ffi/libc"],
  io: ["bytes", "errors", "ffi/libc"],
  log: ["errors", "ffi", "ffi/libc"],
  threads: ["errors"],
  // TLS and HTTP, of whatever is asked and answered.
  net: ["bytes", "errors"],
  // Blocks over any tree: no format.
  overlay: ["bytes", "errors", "io", "threads", "tree", "ffi/libc"],
  // A format each. Only a backup of Proxmox is made of chunks.
  pgprobackup: ["bytes", "errors", "codecs", "io", "threads", "tree", "format", "ffi/libc"],
  pxar: ["bytes", "errors", "io", "tree", "format", "ffi/libc"],
  tar: ["bytes", "errors", "io", "tree", "format"],
  chunking: ["bytes", "errors", "codecs", "io", "threads", "ffi/libc"],
  pbs: ["bytes", "errors", "codecs", "io", "threads", "chunking", "net", "format", "ffi/libc"],
  // The kernel's side: knows file systems, not what is below them.
  mount: ["bytes", "errors", "codecs", "io", "threads", "tree", "ffi", "ffi/libfuse3", "ffi/libc"],
  // What is done with archives and snapshots. A directory's backup is an archive in chunks.
  transfer: ["bytes", "errors", "io", "tree", "pxar", "ffi/libc"],
  backup: [
    "bytes",
    "errors",
    "io",
    "threads",
    "tree",
    "chunking",
    "pbs",
    "pxar",
    "transfer",
    "format",
    "ffi/libc",
  ],
  // Files of another host: a backup's client, asked over any connection.
  agent: ["bytes", "errors", "tree", "codecs", "io", "net", "pxar", "backup", "format", "ffi/libc"],
  // One name for all that can be opened; binds diff directories only by the marks of a source.
  sources: [
    "bytes",
    "errors",
    "tree",
    "codecs",
    "io",
    "threads",
    "overlay",
    "pgprobackup",
    "pxar",
    "pbs",
    "backup",
    "format",
    "ffi/libc",
    "tar",
  ],
  // Servers and their programs, whatever their data directory lies on.
  postgres: ["errors", "format"],
  // What a program does with all of them together; knows no terminal.
  usecases: [
    "agent",
    "sources",
    "postgres",
    "net",
    "bytes",
    "errors",
    "tree",
    "codecs",
    "io",
    "log",
    "threads",
    "overlay",
    "pgprobackup",
    "pxar",
    "pbs",
    "mount",
    "backup",
    "transfer",
    "format",
    "version",
    "ffi/libc",
  ],
  // Options, printing, and what only a person at a terminal needs.
  cli: [
    "usecases",
    "net",
    "sources",
    "postgres",
    "bytes",
    "errors",
    "tree",
    "codecs",
    "io",
    "log",
    "overlay",
    "pgprobackup",
    "pxar",
    "pbs",
    "mount",
    "backup",
    "transfer",
    "format",
    "ffi/libc",
  ],
  main: ["cli"],
};

/** Folders that are the business of the folder they are in, and of nobody else. */
export const INNER_FOLDERS: readonly string[] = ["src/pxar/reading", "src/pxar/writing"];

/** The layer of a path inside the checkout, or undefined where no rule applies (tests, scripts). */
export function layerOf(path: string): Layer | undefined {
  if (path === "main.ts") return "main";
  if (path === "deno.json") return "version";
  if (path === "src/errors.ts") return "errors";
  if (path.startsWith("ffi/libc/")) return "ffi/libc";
  if (path.startsWith("ffi/libfuse3/")) return "ffi/libfuse3";
  if (path.startsWith("ffi/")) return "ffi";
  const [, folder, rest] = /^src\/([^/]+)\/(.*)$/.exec(path) ?? [];
  if (folder === undefined) return undefined;
  return rest!.startsWith("format/") ? "format" : folder;
}
