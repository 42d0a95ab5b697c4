/**
 * Items: what an archive is a sequence of (format specification, sections 1 and 2).
 *
 * | offset | size | header field |
 * |-------:|-----:|--------------|
 * | 0 | 8 | type |
 * | 8 | 8 | size of the item, these 16 bytes included |
 *
 * @module
 */

import { readUint64, writeInt64 } from "./integers.ts";
import { NAME_SIZE_MAX, TARGET_SIZE_MAX, XATTR_CONTENT_SIZE_MAX } from "./limits.ts";

/** Size of an item's header in bytes. */
export const HEADER_SIZE = 16;

/** The types of items, as small numbers. */
export const Item = {
  FORMAT_VERSION: 0,
  PRELUDE: 1,
  ENTRY: 2,
  ENTRY_V1: 3,
  FILENAME: 4,
  SYMLINK: 5,
  DEVICE: 6,
  XATTR: 7,
  ACL_USER: 8,
  ACL_GROUP: 9,
  ACL_GROUP_OBJ: 10,
  ACL_DEFAULT: 11,
  ACL_DEFAULT_USER: 12,
  ACL_DEFAULT_GROUP: 13,
  FCAPS: 14,
  QUOTA_PROJID: 15,
  HARDLINK: 16,
  PAYLOAD: 17,
  PAYLOAD_REF: 18,
  GOODBYE: 19,
  PAYLOAD_START_MARKER: 20,
  PAYLOAD_TAIL_MARKER: 21,
  /** Anything else. */
  UNKNOWN: 22,
} as const;

/** One of {@link Item}. */
export type Item = typeof Item[keyof typeof Item];

interface ItemLayout {
  readonly name: string;
  /** SipHash-2-4 of the type's text in the specification. */
  readonly type: bigint;
  /** Sizes of the content that are possible. */
  readonly sizeMin: number;
  readonly sizeMax: number;
}

function exactly(name: string, type: bigint, size: number): ItemLayout {
  return { name, type, sizeMin: size, sizeMax: size };
}

function between(name: string, type: bigint, sizeMin: number, sizeMax: number): ItemLayout {
  return { name, type, sizeMin, sizeMax };
}

/** In the order of {@link Item}. */
const LAYOUTS: readonly ItemLayout[] = [
  exactly("FORMAT_VERSION", 0x730f6c75df16a40dn, 8),
  between("PRELUDE", 0xe309d79d9f7b771bn, 0, Infinity),
  exactly("ENTRY", 0xd5956474e588acefn, 40),
  exactly("ENTRY_V1", 0x11da850a1c1cceffn, 32),
  between("FILENAME", 0x16701121063917b3n, 1, NAME_SIZE_MAX + 1),
  between("SYMLINK", 0x27f971e7dbf5dc5fn, 0, TARGET_SIZE_MAX + 1),
  exactly("DEVICE", 0x9fc9e906586d5ce9n, 16),
  between("XATTR", 0x0dab0229b57dcd03n, 0, XATTR_CONTENT_SIZE_MAX),
  exactly("ACL_USER", 0x2ce8540a457d55b8n, 16),
  exactly("ACL_GROUP", 0x136e3eceb04c03abn, 16),
  exactly("ACL_GROUP_OBJ", 0x10868031e9582876n, 8),
  exactly("ACL_DEFAULT", 0xbbbb13415a6896f5n, 32),
  exactly("ACL_DEFAULT_USER", 0xc89357b40532cd1fn, 16),
  exactly("ACL_DEFAULT_GROUP", 0xf90a8a5816038ffen, 16),
  between("FCAPS", 0x2da9dd9db5f7fb67n, 0, XATTR_CONTENT_SIZE_MAX),
  exactly("QUOTA_PROJID", 0xe07540e82f7d1cbbn, 8),
  between("HARDLINK", 0x51269c8422bd7275n, 9, 8 + TARGET_SIZE_MAX + 1),
  between("PAYLOAD", 0x28147a1b0b7c1a25n, 0, Infinity),
  exactly("PAYLOAD_REF", 0x419d3d6bc4ba977en, 16),
  between("GOODBYE", 0x2fec4fa642d5731dn, 0, Infinity),
  exactly("PAYLOAD_START_MARKER", 0x834c68c2194a4ed2n, 0),
  exactly("PAYLOAD_TAIL_MARKER", 0x6c72b78b984c81b5n, 0),
  between("unknown item", 0n, 0, Infinity),
];

const lows = Uint32Array.from(LAYOUTS, (layout) => Number(layout.type & 0xffffffffn));
const highs = Uint32Array.from(LAYOUTS, (layout) => Number(layout.type >> 32n));
/** The lower halves of all types differ. */
const itemsByLow = new Map<number, Item>(
  Array.from(lows.subarray(0, Item.UNKNOWN), (low, item) => [low, item as Item]),
);

/** Name of a type in the specification. */
export function itemName(item: Item): string {
  return LAYOUTS[item]!.name;
}

/** Whether a content of `size` bytes is possible for that type. */
export function isContentSize(item: Item, size: number): boolean {
  const layout = LAYOUTS[item]!;
  return size >= layout.sizeMin && size <= layout.sizeMax;
}

/** Type of the item whose header is at `offset`. */
export function decodeItem(view: DataView, offset: number): Item {
  const item = itemsByLow.get(view.getUint32(offset, true)) ?? Item.UNKNOWN;
  return highs[item] === view.getUint32(offset + 4, true) ? item : Item.UNKNOWN;
}

/**
 * Size of the content of the item whose header is at `offset`; negative when the size field is
 * impossible.
 */
export function decodeContentSize(view: DataView, offset: number): number {
  return readUint64(view, offset + 8) - HEADER_SIZE;
}

/** Writes the header of an item with a content of `contentSize` bytes. */
export function encodeHeader(
  view: DataView,
  offset: number,
  item: Item,
  contentSize: number,
): void {
  view.setUint32(offset, lows[item]!, true);
  view.setUint32(offset + 4, highs[item]!, true);
  writeInt64(view, offset + 8, contentSize + HEADER_SIZE);
}
