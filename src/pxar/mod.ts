/**
 * pxar archives, versions 1 and 2: encoder, decoder, random access, an archive as a tree,
 * verification.
 *
 * @module
 */

export * from "./accessor.ts";
export * from "./decoder.ts";
export * from "./encoder.ts";
export * from "./entry.ts";
export * from "./new_entry.ts";
export { type Acl, type AclDefault, type AclEntry, NO_ACL } from "#src/bytes/acl.ts";
export type { Metadata, Timestamp, Xattr } from "#src/tree/metadata.ts";
export type { DeviceNumber } from "#src/bytes/device_number.ts";
export type { ReportCounter } from "./report_counter.ts";
export type { RebuiltTable } from "./archive_node.ts";
export { openPxarTree, pxarTree, type PxarTreeOptions } from "./pxar_tree.ts";
export { verifyArchive, type VerifyFinding } from "./verify.ts";
export * from "./builder/mod.ts";
export * from "./exclude/mod.ts";
export * from "./extractor/mod.ts";
