/**
 * A program that mounts by the library and does other things as well: prints what it saw as JSON.
 *
 *     deno run … _library_child.ts ARCHIVE MOUNT1 BACKUP MOUNT2 DIFF
 *
 * @module
 */

import { mount } from "@pbkfs/pbkfs/mounting";
import { StateError } from "@pbkfs/pbkfs/errors";

const [archive, archiveMount, backup, backupMount, diffPath] = Deno.args as [
  string,
  string,
  string,
  string,
  string,
];

/** Signals that the runtime itself begins to catch with the first thread: HUP, INT, USR1, TERM. */
const OF_RUNTIME = 0x4203n;

/** What belongs to a process, not to a mount. */
function ownState(): Record<string, unknown> {
  const status = Deno.readTextFileSync("/proc/self/status");
  const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "mu").exec(status)?.[1];
  return {
    name: field("Name"),
    umask: field("Umask"),
    caught: String(BigInt(`0x${field("SigCgt")}`) & ~OF_RUNTIME),
    ignored: field("SigIgn"),
    cwd: Deno.cwd(),
  };
}

const before = ownState();
const seen: Record<string, unknown> = { before };

{
  await using readOnly = await mount(archive, { mountPath: archiveMount });
  // In the thread that mounted: the mount does not need it.
  seen["read"] = Deno.readTextFileSync(`${readOnly.mountPath}/d/f`);
  try {
    Deno.writeTextFileSync(`${readOnly.mountPath}/new`, "x");
  } catch (error) {
    seen["write"] = String(error);
  }
  using _open = Deno.openSync(`${readOnly.mountPath}/d/f`);
  try {
    await readOnly.unmount();
  } catch (error) {
    seen["busy"] = error instanceof StateError && error.code;
  }
  seen["afterRefusal"] = Deno.readTextFileSync(`${readOnly.mountPath}/d/f`);
}
seen["leftAt"] = [...Deno.readDirSync(archiveMount)].length;

const writable = await mount(backup, { mountPath: backupMount, diffPath });
seen["version"] = Deno.readTextFileSync(`${backupMount}/PG_VERSION`);
Deno.writeTextFileSync(`${backupMount}/PG_VERSION`, "changed\n");
const { success } = await new Deno.Command("sh", {
  args: ["-c", "umask 0; cd $0; mkdir open; : > open/file", backupMount],
}).output();
seen["made"] = success;
seen["modes"] = ["open", "open/file"].map((path) =>
  (Deno.statSync(`${backupMount}/${path}`).mode! & 0o7777).toString(8)
);
seen["during"] = ownState();
await writable.unmount();
await writable.closed;
seen["state"] = JSON.parse(Deno.readTextFileSync(`${diffPath}/.pbkfs-binding.json`)).state;

// Again, with what was written; ended from outside.
const again = await mount(backup, { mountPath: backupMount, diffPath });
seen["again"] = Deno.readTextFileSync(`${backupMount}/PG_VERSION`);
await new Deno.Command("umount", { args: [backupMount] }).output();
await again.closed;

try {
  await mount(`${archive}.missing`, { mountPath: archiveMount });
} catch (error) {
  seen["missing"] = error instanceof Error && error.name;
}
try {
  await mount(archive, { mountPath: `${archiveMount}/missing` });
} catch (error) {
  seen["nowhere"] = error instanceof Error && error.name;
}
seen["after"] = ownState();
console.log(JSON.stringify(seen));
// Nobody but the runtime catches it.
Deno.kill(Deno.pid, "SIGTERM");
await new Promise((resolve) => setTimeout(resolve, 60_000));
