/**
 * Nodes by their metadata.
 *
 * @module
 */

import { type Metadata, type Timestamp, xattrsFromMetadata } from "./metadata.ts";
import type { Attributes } from "./node.ts";

/** A node whose metadata tell its attributes; it is these itself, so that asking makes nothing. */
export abstract class MetadataNode implements Attributes {
  abstract readonly metadata: Metadata;

  get attributes(): Attributes {
    return this;
  }

  get mode(): number {
    return this.metadata.mode;
  }

  get uid(): number {
    return this.metadata.uid;
  }

  get gid(): number {
    return this.metadata.gid;
  }

  get mtime(): Timestamp {
    return this.metadata.mtime;
  }

  get size(): number {
    return 0;
  }

  get nlink(): number {
    return 1;
  }

  get rdev(): number {
    return 0;
  }

  /** See `NodeBase.xattrs`. */
  xattrs(): ReadonlyMap<string, Uint8Array> {
    return xattrsFromMetadata(this.metadata);
  }
}
