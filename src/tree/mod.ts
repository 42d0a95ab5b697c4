/**
 * Backups as directory trees: the interfaces that every format implements and every use case
 * consumes.
 *
 * @module
 */

export * from "./node.ts";
export * from "./file_system.ts";
export * from "./walk.ts";
export * from "./memory_tree.ts";
export * from "./loopback_tree.ts";
