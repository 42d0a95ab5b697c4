/**
 * What is restored, and what may be replaced.
 *
 * @module
 */

/** What of an archive is restored. Everything by default. */
export interface RestoreFeatures {
  /** Owner and group. */
  readonly owner: boolean;
  /** Permission bits; otherwise files stay 0600 and directories 0700. */
  readonly permissions: boolean;
  /** Extended attributes but capabilities and ACLs. */
  readonly xattrs: boolean;
  /** File capabilities. */
  readonly fcaps: boolean;
  /** POSIX ACLs, default ones too. */
  readonly acls: boolean;
  /** Attributes of chattr(1) and FAT. */
  readonly flags: boolean;
  /** Quota project ids. */
  readonly projectIds: boolean;
  /** Device nodes, which only root can make. */
  readonly deviceNodes: boolean;
  /** Named pipes. */
  readonly fifos: boolean;
  /** Names of sockets; nothing listens there. */
  readonly sockets: boolean;
}

/** {@link RestoreFeatures} that leave nothing out. */
export const RESTORE_ALL: RestoreFeatures = {
  owner: true,
  permissions: true,
  xattrs: true,
  fcaps: true,
  acls: true,
  flags: true,
  projectIds: true,
  deviceNodes: true,
  fifos: true,
  sockets: true,
};

/**
 * What may replace names that are there already; otherwise they are errors. Only files and links
 * are replaced: never a directory, and never a device, FIFO or socket, which stays where the entry
 * is the very same and is an error else. Nothing is written through an existing name: the old name
 * is removed first.
 */
export interface OverwritePolicy {
  /** Regular files replace what is there. */
  readonly files: boolean;
  /** Symbolic links replace what is there. */
  readonly symlinks: boolean;
  /** Further names of restored files replace what is there. */
  readonly hardlinks: boolean;
  /** Devices, FIFOs and sockets. */
  readonly specials: boolean;
  /** Existing directories are used, and get the metadata of the archive. */
  readonly directories: boolean;
  /** Directories replace files and links. Default: false. */
  readonly byDirectories?: boolean;
}

/** Everything that exists is an error. */
export const OVERWRITE_NOTHING: OverwritePolicy = {
  files: false,
  symlinks: false,
  hardlinks: false,
  specials: false,
  directories: false,
};

/** Files, links and special files replace files and links. */
export const OVERWRITE_ALL: OverwritePolicy = {
  files: true,
  symlinks: true,
  hardlinks: true,
  specials: true,
  directories: false,
};

/** How a target directory is written. */
export interface TargetOptions {
  /** What is restored; default: everything. */
  readonly features?: RestoreFeatures;
  /** What may be replaced; default: nothing. */
  readonly overwrite?: OverwritePolicy;
}

/**
 * Call of the error for an owner that cannot be set. EPERM, to a user without rights, is reported
 * once for all entries.
 */
export const SET_OWNER = "set owner of";

/**
 * Call of the error for a further name that a file cannot get. As a warning: the name got a copy of
 * the content.
 */
export const CREATE_HARDLINK = "create hard link";
