/**
 * A way to a server on this computer that treats bytes badly: cuts, truncates, corrupts, doubles or
 * delays them at a place that a test chooses.
 */

/** What is done to one direction of connections, at a byte of each. */
export interface Fault {
  readonly kind: "cut" | "truncate" | "corrupt" | "duplicate" | "delay" | "stall";
  readonly direction: "to server" | "to client";
  /** Offset of the byte, counted from {@link FaultProxy.begin}, or from the first one. */
  readonly at: number;
  /** Nothing is done before {@link FaultProxy.begin}. Default: false. */
  readonly isLater?: boolean;
  /** Which connection, counted from 0. Default: each. */
  readonly connection?: number;
}

/** A running proxy. */
export interface FaultProxy {
  readonly port: number;
  /** How often the fault has struck. */
  readonly strikes: number;
  /** Bytes that came so far, by connection in the order of their beginnings. */
  readonly traffic: readonly Readonly<Record<Fault["direction"], number>>[];
  /** From now on bytes are counted that a later fault is for. */
  begin(): void;
}

const DELAY_MS = 30;

/** Runs a proxy before a port of this computer while `use` runs. */
export async function faultProxy(
  target: number,
  fault: Fault | undefined,
  use: (proxy: FaultProxy) => Promise<void>,
  targetHost = "127.0.0.1",
): Promise<void> {
  const open = new Set<Deno.TcpConn>();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const traffic: Record<Fault["direction"], number>[] = [];
  let begin: Record<Fault["direction"], number> | undefined;
  const proxy = {
    port: (listener.addr as Deno.NetAddr).port,
    strikes: 0,
    traffic,
    begin() {
      begin ??= { ...traffic[fault?.connection ?? 0]! };
    },
  };
  const pump = async (
    from: Deno.TcpConn,
    to: Deno.TcpConn,
    [connection, direction]: readonly [number, Fault["direction"]],
  ) => {
    const isStruck = fault?.direction === direction &&
      (fault.connection ?? connection) === connection;
    const own = isStruck ? fault : undefined;
    const buffer = new Uint8Array(4096);
    let offset = 0;
    for (let size = await from.read(buffer); size !== null; size = await from.read(buffer)) {
      let part = buffer.slice(0, size);
      const from = own?.isLater !== true ? 0 : begin?.[direction];
      const at = own === undefined || from === undefined ? -1 : from + own.at - offset;
      offset += size;
      traffic[connection]![direction] = offset;
      if (at >= 0 && at < size) {
        proxy.strikes++;
        if (own!.kind === "corrupt") part[at]! ^= 0x55;
        if (own!.kind === "duplicate") part = new Uint8Array([...part.subarray(0, at), ...part]);
        if (own!.kind === "delay") await new Promise((resolve) => setTimeout(resolve, DELAY_MS));
        if (["cut", "truncate", "stall"].includes(own!.kind)) {
          await writeAll(to, part.subarray(0, at));
          if (own!.kind === "truncate") return await to.closeWrite();
          if (own!.kind === "stall") return await new Promise<void>(() => {});
          throw new Error("cut");
        }
      }
      await writeAll(to, part);
    }
    await to.closeWrite();
  };
  const serve = async (client: Deno.TcpConn) => {
    open.add(client);
    const connection = traffic.push({ "to server": 0, "to client": 0 }) - 1;
    const server = await Deno.connect({ hostname: targetHost, port: target });
    open.add(server);
    try {
      await Promise.all([
        pump(client, server, [connection, "to server"]),
        pump(server, client, [connection, "to client"]),
      ]);
    } finally {
      closeQuietly(client);
      closeQuietly(server);
    }
  };
  const accepting = (async () => {
    for await (const client of listener) void serve(client).catch(() => {});
  })();
  try {
    await use(proxy);
  } finally {
    listener.close();
    await accepting.catch(() => {});
    open.forEach(closeQuietly);
  }
}

async function writeAll(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await to.write(rest));
}

function closeQuietly(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Closed before.
  }
}
