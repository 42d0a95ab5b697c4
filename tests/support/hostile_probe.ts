/**
 * What code that has gone wrong, or was led astray by what it read, could try in this process.
 *
 * @module
 */

import net from "node:net";

/** Whose ways are probed: a server, a file that can be written. */
export interface ProbeTargets {
  /** Port of a server on this machine. */
  readonly port: number;
  /** An existing file. */
  readonly file: string;
}

type Attempt = (targets: ProbeTargets) => unknown;

/** What can be tried with a permission. */
const ATTEMPTS: Readonly<Record<string, readonly Attempt[]>> = {
  net: [
    ({ port }) => Deno.connect({ port }).then((connection) => connection.close()),
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
    ({ port }) => fetch(`http://127.0.0.1:${port}/`),
    ({ port }) => connectSocket(port),
    ({ port }) => new WebSocket(`ws://127.0.0.1:${port}/`).close(),
    () => Deno.resolveDns("localhost", "A"),
  ],
  read: [({ file }) => Deno.readTextFileSync(file), () => [...Deno.readDirSync("/")]],
  write: [({ file }) => Deno.openSync(file, { append: true }).close()],
  run: [() => new Deno.Command("true").outputSync()],
  ffi: [() => Deno.dlopen("libc.so.6", {}).close()],
  env: [() => Deno.env.toObject()],
  sys: [() => Deno.hostname()],
};

/** Permissions that some attempt still has the use of. */
export async function openWays(targets: ProbeTargets): Promise<string[]> {
  const open: string[] = [];
  for (const [permission, attempts] of Object.entries(ATTEMPTS)) {
    for (const attempt of attempts) {
      if (!await isRefused(attempt, targets) && !open.includes(permission)) open.push(permission);
    }
  }
  return open;
}

/** Any other outcome than that the runtime forbids it means that it was tried in earnest. */
async function isRefused(attempt: Attempt, targets: ProbeTargets): Promise<boolean> {
  try {
    await attempt(targets);
    return false;
  } catch (error) {
    return error instanceof Deno.errors.NotCapable;
  }
}

function connectSocket(port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = net.connect({ host: "127.0.0.1", port }, resolve);
  socket.on("error", reject);
  return promise.finally(() => socket.destroy());
}
