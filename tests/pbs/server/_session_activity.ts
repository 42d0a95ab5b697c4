/**
 * Clients that back up by sessions, again and again, with contents from a small pool, so that
 * chunks are used by several and again later.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import { DynamicIndex } from "#src/pbs/format/dynamic_index.ts";
import { Random } from "#tests/support/property_random.ts";
import type { ClientSession } from "./_tls_sessions.ts";
import { ask, data } from "./_session_client.ts";
import { chunkOf, finish, type Sent, writeDynamic } from "./_served_scene.ts";

const NAME = "root.pxar.didx";

/** How clients work. */
export interface ActivityOptions {
  /** Chunks that there are. */
  readonly poolSize: number;
  readonly chunkBytes: number;
  /** Chunks of a backup, at most. */
  readonly chunksMax: number;
}

/** Makes chunks once. */
export class ChunkPool {
  readonly #chunks = new Map<number, Sent>();

  constructor(readonly options: ActivityOptions) {}

  /** Half of them compress. */
  get(number: number): Sent {
    const known = this.#chunks.get(number);
    if (known !== undefined) return known;
    const bytes = new Random(77, number).bytes(this.options.chunkBytes);
    if (number % 2 === 0) bytes.fill(number, this.options.chunkBytes / 4);
    const chunk = chunkOf(bytes);
    this.#chunks.set(number, chunk);
    return chunk;
  }
}

/**
 * One backup. Some are given up.
 *
 * @returns whether it was finished
 */
export async function backUpOnce(
  session: ClientSession,
  pool: ChunkPool,
  random: Random,
  id: string,
  time: number,
): Promise<boolean> {
  const { poolSize, chunksMax } = pool.options;
  try {
    const previous = await data(session, "GET", "/previous_backup_time");
    const known = new Set<string>();
    if (previous !== null) {
      const { bytes, status, text } = await ask(
        session.handler,
        "GET",
        `/previous?archive-name=${NAME}`,
      );
      if (status !== 200) throw new Error(text);
      const index = DynamicIndex.parse(bytes);
      for (let position = 0; position < index.count; position++) {
        known.add(index.digestOf(position));
      }
    }
    const count = random.between(1, chunksMax);
    const chunks = Array.from({ length: count }, () => pool.get(random.between(1, poolSize)));
    const unique = [...new Set(chunks)];
    const file = await writeDynamic(session, NAME, unique, known);
    if (random.oneIn(5)) return false;
    await finish(session, { id, time }, [file]);
    return true;
  } finally {
    await session.close();
  }
}

/** Whether somebody else was in the way, which passes. */
export function isInTheWay(error: unknown): boolean {
  return error instanceof Failure && (error.code === "locked" || error.code === "not-found");
}
