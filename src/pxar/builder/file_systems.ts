/**
 * What the builder asks of files, by the kind of the file system they are on (format specification,
 * sections 3.1 and 13).
 *
 * @module
 */

/** What is worth asking for. Attributes of chattr(1) are asked for everywhere. */
export interface FileSystemFeatures {
  readonly xattrs: boolean;
  readonly acls: boolean;
  /** File capabilities. */
  readonly fcaps: boolean;
  /** Attributes of FAT. */
  readonly fat: boolean;
  /** Quota project ids. */
  readonly projectIds: boolean;
  /** Made up by the kernel: nothing to archive. */
  readonly isPseudo: boolean;
}

const ORDINARY: FileSystemFeatures = {
  xattrs: true,
  acls: true,
  fcaps: true,
  fat: false,
  projectIds: false,
  isPseudo: false,
};
const WITH_PROJECTS = { ...ORDINARY, projectIds: true };
const PSEUDO = { ...ORDINARY, isPseudo: true };

const BY_MAGIC: ReadonlyMap<number, FileSystemFeatures> = new Map([
  [0xef53, WITH_PROJECTS], // ext4
  [0x5846_5342, WITH_PROJECTS], // xfs
  [0x2fc1_2fc1, WITH_PROJECTS], // zfs
  [0x9123_683e, ORDINARY], // btrfs
  [0x0102_1994, { ...ORDINARY, xattrs: false, fcaps: false }], // tmpfs
  [0x4d44, { ...ORDINARY, xattrs: false, acls: false, fcaps: false, fat: true }], // msdos, vfat
  [0x6573_5546, { ...ORDINARY, acls: false, fcaps: false, fat: true }], // fuse
  [0x4249_4e4d, PSEUDO], // binfmt_misc
  [0x0027_e0eb, PSEUDO], // cgroup
  [0x6367_7270, PSEUDO], // cgroup2
  [0x6265_6570, PSEUDO], // configfs
  [0x6462_6720, PSEUDO], // debugfs
  [0x1cd1, PSEUDO], // devpts
  [0xde5e_81e4, PSEUDO], // efivarfs
  [0x6573_5543, PSEUDO], // fusectl
  [0x9584_58f6, PSEUDO], // hugetlbfs
  [0x1980_0202, PSEUDO], // mqueue
  [0x6e66_7364, PSEUDO], // nfsd
  [0x9fa0, PSEUDO], // proc
  [0x6165_676c, PSEUDO], // pstore
  [0x6759_6969, PSEUDO], // rpc_pipefs
  [0x7363_6673, PSEUDO], // securityfs
  [0xf97c_ff8c, PSEUDO], // selinuxfs
  [0x4341_5d53, PSEUDO], // smackfs
  [0x6265_6572, PSEUDO], // sysfs
]);

/** What to ask for on a file system with that `f_type`. */
export function featuresOf(magic: number): FileSystemFeatures {
  return BY_MAGIC.get(magic) ?? ORDINARY;
}
