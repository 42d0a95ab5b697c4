/**
 * Backups as directory trees: the interfaces that every format implements and every use case
 * consumes.
 *
 * @module
 */

export * from "./metadata.ts";
export * from "./node.ts";
export * from "./file_system.ts";
export * from "./walk.ts";
export * from "./sorted_entries.ts";
export { findEntries, findEntry, requireEntry } from "./paths.ts";
export * from "./memory_tree.ts";
