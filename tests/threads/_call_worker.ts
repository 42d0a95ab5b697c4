import { endNativeCodecs } from "#src/codecs/codecs.ts";
import { StateError } from "#src/errors.ts";
import { serveCalls, Transferred } from "#src/threads/call_pool.ts";
import { serveThread } from "#src/threads/thread.ts";

interface Context {
  readonly target: string;
  readonly left: Map<string, number>;
}

const left = new Map<string, number>();

/** What the tests call. */
export const CALLS = {
  join: ({ target }: Context, a: string, b: number) => `${target}:${a}:${b}`,
  refuse: (_: Context, code: "locked" | "busy") => {
    throw new StateError(code, "as asked", { hint: "do not ask" });
  },
  leave: ({ left }: Context, name: string) => left.set(name, (left.get(name) ?? 0) + 1).get(name)!,
  reverse: (_: Context, bytes: Uint8Array<ArrayBuffer>) =>
    new Transferred(bytes.reverse(), [bytes.buffer]),
  wait: async (_: Context, cells: Int32Array<SharedArrayBuffer>) => {
    Atomics.add(cells, 1, 1);
    Atomics.notify(cells, 1);
    while (Atomics.load(cells, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    return "woken";
  },
  die: () => {
    setTimeout(() => {
      throw new Error("gone");
    });
    return new Promise<never>(() => {});
  },
} as const;

serveThread(
  { call: (start) => serveCalls(start, CALLS, (target: string) => ({ target, left }), () => {}) },
  endNativeCodecs,
);
