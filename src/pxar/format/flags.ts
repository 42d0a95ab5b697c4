/**
 * Attributes of chattr(1) and FAT as entries store them.
 *
 * @module
 */

/** An attribute: its bit in an entry and in what the file system's ioctl reads. */
export interface FlagMapping {
  /** Bit in {@link Stat.flags} of an entry. */
  readonly flag: bigint;
  /** Bit of FS_IOC_GETFLAGS or FAT_IOCTL_GET_ATTRIBUTES. */
  readonly attribute: number;
  /** Letter of lsattr(1), or a word for FAT. */
  readonly label: string;
}

/** Attributes of FS_IOC_GETFLAGS. */
export const CHATTR_FLAGS: readonly FlagMapping[] = [
  { flag: 0x10000n, attribute: 0x20, label: "a" },
  { flag: 0x20000n, attribute: 0x80, label: "A" },
  { flag: 0x40000n, attribute: 0x04, label: "c" },
  { flag: 0x80000n, attribute: 0x0080_0000, label: "C" },
  { flag: 0x100000n, attribute: 0x40, label: "d" },
  { flag: 0x200000n, attribute: 0x0001_0000, label: "D" },
  { flag: 0x400000n, attribute: 0x10, label: "i" },
  { flag: 0x800000n, attribute: 0x08, label: "S" },
  { flag: 0x1000000n, attribute: 0x400, label: "m" },
  { flag: 0x2000000n, attribute: 0x2000_0000, label: "P" },
];

/** Attributes of FAT_IOCTL_GET_ATTRIBUTES. */
export const FAT_FLAGS: readonly FlagMapping[] = [
  { flag: 0x2000n, attribute: 0x02, label: "hidden" },
  { flag: 0x4000n, attribute: 0x04, label: "system" },
  { flag: 0x8000n, attribute: 0x20, label: "archive" },
];

/** The bits of an entry for what an ioctl read. */
export function flagsOfAttributes(mappings: readonly FlagMapping[], attributes: number): bigint {
  let flags = 0n;
  for (const { flag, attribute } of mappings) {
    if ((attributes & attribute) !== 0) flags |= flag;
  }
  return flags;
}

/** What an ioctl has to set for the bits of an entry. */
export function attributesOfFlags(mappings: readonly FlagMapping[], flags: bigint): number {
  let attributes = 0;
  for (const { flag, attribute } of mappings) {
    if ((flags & flag) !== 0n) attributes |= attribute;
  }
  return attributes;
}
