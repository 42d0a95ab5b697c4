/**
 * The orders to a worker that a signal cannot carry: what is wanted of its hydration.
 *
 * They are written into a file in the worker's memory, beside its card (`worker_card.ts`), and the
 * worker is signalled to read it. Whoever may open the descriptors of the process may write there:
 * its user, and root. The text is one JSON object with an id, by which the worker answers.
 *
 * @module
 */

import * as v from "valibot";
import * as host from "#ffi/libc/calls.ts";
import { OsError } from "#src/errors.ts";
import type { HydrationOrder } from "../hydration/mount_hydration.ts";
import type { Worker } from "./find_worker.ts";
import { isInMemory, readWorkerText } from "./worker_card.ts";

/** Name by which the kernel shows the file. */
const FILE_NAME = "pbkfs-orders";
const LINK_TARGET = `/memfd:${FILE_NAME} (deleted)`;

const SIZE_MAX = 4096;

/** More bytes a second than any disk takes. */
const RATE_MAX = 2 ** 50;

const OrderSchema = v.object({
  id: v.pipe(v.string(), v.maxLength(64)),
  hydration: v.variant("kind", [
    v.object({
      kind: v.literal("start"),
      rateLimit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(RATE_MAX))),
    }),
    v.object({ kind: v.literal("stop") }),
  ]),
});

/** The file of this process, which is a worker. */
export class OwnOrders {
  readonly #fd: number;
  #lastId: string | undefined;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** @throws {OsError} */
  static publish(): OwnOrders {
    return new OwnOrders(host.unwrap(host.memfdCreate(FILE_NAME), "make", FILE_NAME));
  }

  /** The id of the order that was taken last. */
  get lastId(): string | undefined {
    return this.#lastId;
  }

  /** The order that was written since the last call, if any. */
  take(): HydrationOrder | undefined {
    const order = parseOrder(readWorkerText(this.#fd, SIZE_MAX));
    if (order === undefined || order.id === this.#lastId) return undefined;
    this.#lastId = order.id;
    const { hydration } = order;
    return hydration.kind === "stop" ? hydration : { rateLimit: undefined, ...hydration };
  }
}

/** @returns undefined for what is no order, or half of one */
function parseOrder(text: string): v.InferOutput<typeof OrderSchema> | undefined {
  try {
    const result = v.safeParse(OrderSchema, JSON.parse(text));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Writes an order for a worker, which is to be signalled then.
 *
 * @returns the order's id
 * @throws {OsError} when this user may not
 */
export function writeOrder({ process }: Worker, hydration: HydrationOrder): string {
  const found = process.descriptors().find(({ fd, target }) =>
    target === LINK_TARGET && isInMemory(process, fd)
  );
  const fd = found === undefined ? -host.Errno.ENOENT : process.openDescriptorForWriting(found.fd);
  if (fd < 0) {
    throw new OsError(-fd, "write to", `worker ${process.pid}`, {
      hint: "It belongs to another user, or to an older version of this program",
    });
  }
  try {
    const id = crypto.randomUUID();
    const buffer = host.nativeBufferOf(new TextEncoder().encode(JSON.stringify({ id, hydration })));
    host.unwrap(host.ftruncate(fd, 0), "write to", `worker ${process.pid}`);
    const written = host.pwriteFully(fd, buffer.address, buffer.bytes.length, 0);
    host.unwrap(written, "write to", `worker ${process.pid}`);
    return id;
  } finally {
    host.close(fd);
  }
}
