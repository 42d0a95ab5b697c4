/** Limits of connections, on a clock of the test's. */

import { deepEqual, equal, ok } from "node:assert/strict";
import { limitRate, RateLimiter } from "#src/net/rate_limit.ts";
import { connectionPair } from "#tests/support/connection_pair.ts";

function testClock() {
  let nowMs = 0;
  return {
    now: () => nowMs,
    sleep: (ms: number) => {
      nowMs += ms;
      return Promise.resolve();
    },
    rest: (ms: number) => void (nowMs += ms),
  };
}

Deno.test("A bucket lets the burst pass at once, then so much a second, and saves no more than the burst", async () => {
  const clock = testClock();
  const limiter = new RateLimiter({ bytesPerSecond: 1000, burstBytes: 500 }, clock);
  await limiter.pass(500);
  equal(clock.now(), 0);
  await limiter.pass(1000);
  equal(clock.now(), 1000);
  clock.rest(60_000);
  await limiter.pass(500);
  equal(clock.now(), 61_000);
  await limiter.pass(250);
  equal(clock.now(), 61_250);
});

Deno.test("Both directions of a connection are limited each, and bytes put back are free", async () => {
  const clock = testClock();
  const rate = { bytesPerSecond: 100_000, burstBytes: 1 };
  const [near, far] = connectionPair();
  const limited = limitRate(near, new RateLimiter(rate, clock), new RateLimiter(rate, clock));
  await limited.write([new Uint8Array(150_000), new Uint8Array(50_000)]);
  ok(Math.abs(clock.now() - 2_000) < 1, String(clock.now()));
  let size = 0;
  while (size < 200_000) size += (await far.read())!.length;
  await far.write([new Uint8Array(100_000).fill(5)]);
  const bytes = (await limited.read())!;
  ok(Math.abs(clock.now() - 2_000) < 1_001);
  const before = clock.now();
  limited.unread(bytes);
  deepEqual(await limited.read(), bytes);
  equal(clock.now(), before);
});
