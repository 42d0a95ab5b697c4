/**
 * An extended attribute, in whatever it is stored.
 *
 * @module
 */

/** An extended attribute. */
export interface Xattr {
  /** Full name with its prefix, such as `user.comment`. */
  readonly name: string;
  /** Any bytes; may be empty. */
  readonly value: Uint8Array;
}
