/**
 * All that an archive says of an entry, for people.
 *
 * @module
 */

import type { Acl, AclEntry } from "#src/bytes/acl.ts";
import type { EntryFacts } from "#src/tree/entry_facts.ts";
import { CHATTR_FLAGS, FAT_FLAGS } from "#src/pxar/format/flags.ts";
import type { EntryDescription } from "#src/usecases/archive/description.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import type { PayloadRange } from "#src/tree/node.ts";
import { payloadRecord, typeName } from "#src/usecases/archive/entry_record.ts";
import { formatMode, formatTime } from "./entry_text.ts";
import { quoteName } from "#src/bytes/quoting.ts";

const LABEL_WIDTH = 7;

/** Formats a description as lines with labels. */
export function formatDescription(description: EntryDescription): string {
  const { path, entry, offset, target } = description;
  if (entry.kind === "hardlink") {
    const name = `${quoteName(path)} -> ${quoteName(`/${entry.targetPath}`)}`;
    const own = [["File", name], ["Type", "hardlink"], ["Offset", String(offset)]] as const;
    return formatLines(own) + (target === undefined ? "" : formatDescription(target));
  }
  return formatLines([
    ["File", quoteName(path) + (entry.kind === "symlink" ? ` -> ${quoteName(entry.target)}` : "")],
    ...typeLines(entry, description.payload),
    ...metadataLines(entry.metadata),
    ...(offset === undefined ? [] : [["Offset", String(offset)] as const]),
  ]);
}

type Line = readonly [label: string, value: string];

function formatLines(lines: readonly Line[]): string {
  return lines.map(([label, value]) => `${label.padStart(LABEL_WIDTH)}: ${value}\n`).join("");
}

function typeLines(entry: EntryFacts, payload: PayloadRange | undefined): Line[] {
  const type: Line = ["Type", typeName(entry)];
  switch (entry.kind) {
    case "file": {
      const lines: Line[] = [["Size", String(entry.size)], type];
      if (payload === undefined) return lines;
      const { kind, offset } = payloadRecord(payload);
      const place = kind === "inline" ? `offset ${offset}` : `payload stream, offset ${offset}`;
      return [...lines, ["Content", place]];
    }
    case "device":
      return [type, ["Device", `${entry.major},${entry.minor}`]];
    default:
      return [type];
  }
}

function metadataLines(metadata: Metadata): Line[] {
  const { mode, uid, gid, mtime, xattrs, acl, fcaps, projectId, flags } = metadata;
  const permissions = (mode & 0o7777).toString(8).padStart(4, "0");
  const lines: Line[] = [
    ["Access", `(${permissions}/${formatMode(mode)})  Uid: ${uid}  Gid: ${gid}`],
    ["Modify", `${formatTime(mtime)}.${String(mtime.nanoseconds).padStart(9, "0")}`],
  ];
  if (flags !== 0n) lines.push(["Flags", formatFlags(flags)]);
  for (const { name, value } of xattrs) lines.push(["Xattr", `${quoteName(name)} ${hex(value)}`]);
  for (const line of aclLines(acl)) lines.push(["ACL", line]);
  if (fcaps !== undefined) lines.push(["Fcaps", hex(fcaps)]);
  if (projectId !== 0n) lines.push(["Project", String(projectId)]);
  return lines;
}

/** Letters of lsattr(1), words for FAT, the number itself for bits that nobody knows. */
function formatFlags(flags: bigint): string {
  const letters = CHATTR_FLAGS.filter(({ flag }) => (flags & flag) !== 0n)
    .map(({ label }) => label).join("");
  const words = FAT_FLAGS.filter(({ flag }) => (flags & flag) !== 0n).map(({ label }) => label);
  const known = [...CHATTR_FLAGS, ...FAT_FLAGS].reduce((sum, { flag }) => sum | flag, 0n);
  const rest = flags & ~known;
  const parts = [letters, ...words, rest === 0n ? "" : `0x${rest.toString(16)}`];
  return parts.filter((part) => part !== "").join(" ");
}

/** As setfacl(1) takes them. */
function aclLines(acl: Acl): string[] {
  return [
    ...named("user", acl.users),
    ...named("group", acl.groups),
    ...single("group:", acl.groupObject),
    ...single("default:user:", acl.default?.userObject),
    ...single("default:group:", acl.default?.groupObject),
    ...single("default:other:", acl.default?.other),
    ...single("default:mask:", acl.default?.mask),
    ...named("default:user", acl.defaultUsers),
    ...named("default:group", acl.defaultGroups),
  ];
}

function named(tag: string, entries: readonly AclEntry[]): string[] {
  return entries.map(({ id, permissions }) => `${tag}:${id}:${rwx(permissions)}`);
}

function single(tag: string, permissions: bigint | undefined): string[] {
  return permissions === undefined ? [] : [`${tag}:${rwx(permissions)}`];
}

function rwx(permissions: bigint): string {
  const bit = (value: bigint, letter: string) => (permissions & value) === 0n ? "-" : letter;
  return bit(4n, "r") + bit(2n, "w") + bit(1n, "x");
}

function hex(value: Uint8Array): string {
  return value.length === 0 ? "(empty)" : value.toHex();
}
