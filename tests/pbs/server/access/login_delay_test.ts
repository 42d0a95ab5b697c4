import { rejects, strictEqual as equal } from "node:assert";
import { LoginDelay } from "#src/pbs/server/access/login_delay.ts";
import { Refusal } from "#src/pbs/server/refusal.ts";

const OF_SOURCE_MAX = 32;

/** Fills what one source may have, from the addresses that `host` makes. */
function fill(delay: LoginDelay, host: (index: number) => string) {
  const end = Promise.withResolvers<void>();
  const attempts = Array.from(
    { length: OF_SOURCE_MAX },
    (_, index) => delay.attempt(`${host(index)}:${1000 + index}`, () => end.promise),
  );
  return {
    async [Symbol.asyncDispose]() {
      end.resolve();
      await Promise.all(attempts);
      equal(delay.waitingCount, 0);
    },
  };
}

function isRefused(delay: LoginDelay, host: string): Promise<void> {
  return rejects(
    delay.attempt(`${host}:9`, () => Promise.resolve()),
    (error) => error instanceof Refusal && error.status === 429,
  );
}

async function isTaken(delay: LoginDelay, host: string): Promise<void> {
  equal(await delay.attempt(`${host}:9`, () => Promise.resolve(1)), 1);
}

Deno.test("addresses of one IPv6 network of 64 bits are one source of logins", async () => {
  const delay = new LoginDelay(0);
  await using _full = fill(delay, (index) => `[2001:db8:0:7:${index + 1}::1]`);
  await isRefused(delay, "[2001:db8:0:7::1]");
  await isRefused(delay, "[2001:db8::7:a:b:c:d]");
  await isTaken(delay, "[2001:db8:0:8::1]");
  await isTaken(delay, "[2001:db8::1]");
  await isTaken(delay, "[::1]");
  await isTaken(delay, "192.0.2.1");
});

Deno.test("IPv4 addresses are sources of their own, also at a socket for IPv6", async () => {
  const delay = new LoginDelay(0);
  await using _full = fill(delay, () => "[::ffff:192.0.2.1]");
  await isRefused(delay, "192.0.2.1");
  await isTaken(delay, "[::ffff:192.0.2.2]");
  await isTaken(delay, "192.0.2.2");
  await isTaken(delay, "[::1]");
});
