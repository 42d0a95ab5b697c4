/**
 * Loop devices: files that are block devices.
 *
 * @module
 */

/** Whether this machine gives any. */
export function hasLoopDevices(): boolean {
  const args = ["-c", "losetup --find"];
  return new Deno.Command("sh", { args, stdout: "null", stderr: "null" }).outputSync().success;
}
