/**
 * Use cases on archives and trees: copy with new paths, merge, compare, walk, contents and digests
 * of single files.
 *
 * Everything reads from a `Tree` (an archive by `openPxarTree`, a directory by {@link LocalTree},
 * parts of several by {@link compose}) and writes to a {@link TreeWriter} ({@link ArchiveWriter}:
 * version 1 or split). All metadata, hard links and the order of an archive are kept, and no
 * content is ever whole in memory.
 *
 * @module
 */

export * from "./compose.ts";
export type { ConflictPolicy } from "./conflict.ts";
export * from "./content.ts";
export * from "./copy.ts";
export * from "./copy_stream.ts";
export * from "./diff.ts";
export * from "./extract_tree.ts";
export * from "./local_tree.ts";
export * from "./tree_source.ts";
export * from "./walk.ts";
export * from "./write_tree.ts";
export * from "./writer.ts";
