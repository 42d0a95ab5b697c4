/**
 * Use cases on archives and trees: copy with new paths, merge, compare, walk, contents and digests
 * of single files.
 *
 * Everything reads from a {@link TreeReader} (an archive by {@link readArchive}, any `Tree` by
 * {@link readTree}, parts of several by {@link compose}) and writes to a {@link TreeWriter}
 * ({@link ArchiveWriter}: version 1 or split). All metadata, hard links and the order of an archive
 * are kept, and no content is ever whole in memory.
 *
 * @module
 */

export * from "./archive_reader.ts";
export * from "./compose.ts";
export type { ConflictPolicy } from "./conflict.ts";
export * from "./content.ts";
export * from "./copy.ts";
export * from "./copy_stream.ts";
export * from "./diff.ts";
export * from "./directory_reader.ts";
export { findEntries, findEntry, requireEntry } from "./paths.ts";
export * from "./reader.ts";
export * from "./tree_reader.ts";
export * from "./tree_source.ts";
export * from "./walk.ts";
export * from "./write_tree.ts";
export * from "./writer.ts";
