/**
 * Where else a mount is: bind mounts, and copies in other mount namespaces, as containers have
 * them.
 *
 * The file system of a mount, and with it the process that serves it, goes on as long as one of
 * them is there. They are found in the kernel's tables of mounts, which never wait for the mount
 * itself.
 *
 * @module
 */

import { HostProcess, listProcesses, ownProcess } from "#src/io/process.ts";
import type { MountIdentity } from "./mount_identity.ts";
import { type MountTableEntry, parseMountTable, readMountTable } from "./mount_table.ts";

/** Another mount point of the same file system, here or in another mount namespace. */
export interface MountHolder {
  /** Absolute path, in the namespace of `process`. */
  readonly mountPoint: string;
  /** Identity of the mount namespace; undefined when it may not be known. */
  readonly namespace: string | undefined;
  /** A process that sees the mount there; undefined for this process's own namespace. */
  readonly process: { readonly pid: number; readonly name: string } | undefined;
}

/**
 * All places at which a file system is mounted, as far as this user may know them: those in the own
 * namespace first.
 *
 * @param mount the file system, at whatever place
 * @param timeoutMs namespaces that have not been looked at by then are left out
 */
export function findMountHolders(
  mount: Pick<MountIdentity, "device" | "source">,
  timeoutMs: number,
): MountHolder[] {
  const isWanted = ({ device, source }: MountTableEntry) =>
    device === mount.device && source === mount.source;
  const deadline = performance.now() + timeoutMs;
  using own = ownProcess();
  const ownNamespace = own.mountNamespace;
  const holders: MountHolder[] = readMountTable().filter(isWanted)
    .map(({ mountPoint }) => ({ mountPoint, namespace: ownNamespace, process: undefined }));
  const seen = new Set([ownNamespace]);
  for (const pid of listProcesses()) {
    if (performance.now() > deadline) break;
    using process = HostProcess.open(pid);
    const namespace = process?.mountNamespace;
    if (process === undefined || namespace === undefined || seen.has(namespace)) continue;
    seen.add(namespace);
    for (const entry of parseMountTable(process.mountTable ?? "")) {
      if (!isWanted(entry)) continue;
      holders.push({
        mountPoint: entry.mountPoint,
        namespace,
        process: { pid, name: process.name ?? "?" },
      });
    }
  }
  return holders;
}
