/**
 * The option string of a mount.
 *
 * @module
 */

/** What a mount is made with. */
export interface FuseMountOptions {
  /** Name of the source in df and the mount table. */
  readonly fsname: string;
  /** The type is shown as `fuse.<subtype>`. */
  readonly subtype: string;
  /**
   * Users other than the one who mounts may enter; always together with the kernel's permission
   * checks.
   */
  readonly allowOther: boolean;
  readonly readOnly: boolean;
}

/**
 * Formats options for `-o`. `max_read` is left out on purpose: 0 would make the kernel read by 4
 * KiB. `default_permissions` is always there: without it any user who may enter could read
 * everything.
 */
export function formatMountOptions(options: FuseMountOptions): string {
  const parts = [
    `fsname=${escapeOption(options.fsname)}`,
    `subtype=${escapeOption(options.subtype)}`,
    "default_permissions",
  ];
  if (options.allowOther) parts.push("allow_other");
  if (options.readOnly) parts.push("ro");
  return parts.join(",");
}

/**
 * Puts a backslash before commas and backslashes, which have a meaning to libfuse; drops control
 * characters.
 */
function escapeOption(value: string): string {
  return value.replaceAll(/\p{Cc}/gu, "").replaceAll(/[\\,]/g, "\\$&");
}
