/**
 * What extended attributes say, in the terms of an archive (format specification, sections 5 and
 * 13).
 *
 * @module
 */

import { XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT } from "#src/bytes/posix_acl.ts";
import { NO_ACL, type PxarMetadata, type PxarXattr } from "#src/pxar/entry.ts";
import { decodePosixAcl } from "#src/pxar/format/posix_acl.ts";

const CAPABILITY = "security.capability";

/** Whether an archive stores an attribute of that name as it is. */
function isStored(name: string): boolean {
  return name.startsWith("user.") || name.startsWith("trusted.") || name === "security.NTACL";
}

/**
 * Divides extended attributes by full name into what an archive keeps apart; those it does not
 * store are left out.
 *
 * @throws {FormatError} `bad-acl` when the value of an ACL attribute is malformed
 */
export function metadataFromXattrs(
  attributes: ReadonlyMap<string, Uint8Array>,
): Pick<PxarMetadata, "xattrs" | "acl" | "fcaps"> {
  const xattrs: PxarXattr[] = [];
  for (const [name, value] of attributes) if (isStored(name)) xattrs.push({ name, value });
  const access = attributes.get(XATTR_ACL_ACCESS);
  const inherited = attributes.get(XATTR_ACL_DEFAULT);
  return {
    xattrs,
    acl: decodePosixAcl(access, inherited) ?? NO_ACL,
    fcaps: attributes.get(CAPABILITY),
  };
}
