/**
 * What pax records tell of a member's extended attributes and ACLs.
 *
 * @module
 */

import type { Acl } from "#src/bytes/acl.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";
import { FormatError } from "#src/errors.ts";
import type { Xattr } from "#src/tree/metadata.ts";
import { type AccountNumbers, type AclText, parseAclText } from "./format/acl_text.ts";

const XATTR_PREFIX = "SCHILY.xattr.";
/** The same, its name with percent signs and its value in Base64. */
const ENCODED_XATTR_PREFIX = "LIBARCHIVE.xattr.";
const ACL_ACCESS_KEY = "SCHILY.acl.access";
const ACL_DEFAULT_KEY = "SCHILY.acl.default";

/** Extended attributes. @throws {FormatError} */
export function paxXattrs(values: ReadonlyMap<string, Uint8Array>): Xattr[] {
  const found = new Map<string, Uint8Array>();
  for (const [key, value] of values) {
    if (!key.startsWith(XATTR_PREFIX)) continue;
    // GNU tar writes no more than these so; others write names as they are.
    const name = key.slice(XATTR_PREFIX.length).replaceAll(
      /%(?:3D|25)/gu,
      (coded) => coded === "%25" ? "%" : "=",
    );
    found.set(name, value);
  }
  for (const [key, value] of values) {
    if (!key.startsWith(ENCODED_XATTR_PREFIX)) continue;
    const name = decodePercents(key.slice(ENCODED_XATTR_PREFIX.length));
    if (!found.has(name)) found.set(name, decodeBase64(value));
  }
  return Array.from(found, ([name, value]) => ({ name, value }));
}

function decodePercents(name: string): string {
  const characters = [...name.matchAll(/%([0-9A-Fa-f]{2})|[^]/gu)];
  return decodeFileName(Uint8Array.from(
    characters,
    ([character, digits]) =>
      digits === undefined ? character.charCodeAt(0) : Number.parseInt(digits, 16),
  ));
}

function decodeBase64(value: Uint8Array): Uint8Array {
  try {
    return Uint8Array.fromBase64(decodeFileName(value));
  } catch (cause) {
    throw new FormatError("Cannot read tar archive: an attribute is not Base64", { cause });
  }
}

/**
 * The ACL, and the mode that goes with it.
 *
 * @param mode of the header
 * @param accounts of this machine, for ACLs that name them
 * @throws {FormatError} `bad-acl`
 */
export function paxAcl(
  values: ReadonlyMap<string, Uint8Array>,
  mode: number,
  accounts: AccountNumbers,
): { readonly mode: number; readonly acl: Acl | undefined } {
  const aclAt = (key: string) => {
    const value = values.get(key);
    return value && parseAclText(decodeFileName(value), accounts);
  };
  const access = aclAt(ACL_ACCESS_KEY);
  return {
    mode: access === undefined ? mode : modeOf(access, mode),
    acl: joinAcl(access, aclAt(ACL_DEFAULT_KEY)),
  };
}

/** An access ACL says what the bits of the mode say, too: those of the group are the mask. */
function modeOf({ userObject, groupObject, mask, other }: AclText, mode: number): number {
  const bits = [userObject, mask ?? groupObject, other];
  if (bits.some((each) => each === undefined)) return mode;
  return bits.reduce((sum, each) => sum << 3 | Number(each), mode >> 9);
}

/** Undefined where both say no more than the mode. */
function joinAcl(access: AclText | undefined, inherited: AclText | undefined): Acl | undefined {
  const { users = [], groups = [], groupObject, mask } = access ?? {};
  const isMinimal = mask === undefined && users.length === 0 && groups.length === 0;
  if (isMinimal && inherited === undefined) return undefined;
  return {
    users,
    groups,
    groupObject: isMinimal ? undefined : groupObject,
    default: inherited && {
      userObject: inherited.userObject,
      groupObject: inherited.groupObject,
      other: inherited.other,
      mask: inherited.mask,
    },
    defaultUsers: inherited?.users ?? [],
    defaultGroups: inherited?.groups ?? [],
  };
}
