import assert from "node:assert/strict";
import { createPollMemory, POLL_NS, PollRule, RequestPoll } from "#src/mount/request_poll.ts";

/** Which of so many requests are polled for when `isHit` says what becomes of each poll. */
function polls(rule: PollRule, requests: number, isHit: (poll: number) => boolean): boolean[] {
  let poll = 0;
  return Array.from({ length: requests }, () => {
    if (!rule.isDue()) return false;
    if (isHit(poll++)) rule.hit();
    else rule.miss();
    return true;
  });
}

function countOf(polled: readonly boolean[]): number {
  return polled.filter(Boolean).length;
}

Deno.test("PollRule polls for every request while each comes in time", () => {
  assert.equal(countOf(polls(new PollRule(), 1000, () => true)), 1000);
});

Deno.test("PollRule goes on when one of ten does not come, and stops when one of two does not", () => {
  const rule = new PollRule();
  polls(rule, 100, () => true);
  assert.equal(countOf(polls(rule, 1000, (poll) => poll % 10 !== 0)), 1000);
  assert.ok(countOf(polls(rule, 10_000, (poll) => poll % 2 === 0)) < 200);
});

Deno.test("PollRule tries ever more seldom, at last once in a thousand requests", () => {
  const rule = new PollRule();
  const polled = polls(rule, 100_000, () => false);
  const tries = polled.flatMap((isPolled, request) => isPolled ? [request] : []);
  const gaps = tries.slice(1).map((request, index) => request - tries[index]!);
  assert.deepEqual(gaps.slice(0, 9), [9, 17, 33, 65, 129, 257, 513, 1025, 1025]);
  assert.ok(tries.length < 110);
});

Deno.test("PollRule notices within a thousand requests that it pays again", () => {
  const rule = new PollRule();
  polls(rule, 100_000, () => false);
  assert.ok(countOf(polls(rule, 2000, () => true)) > 900);
  // And has forgotten the past: it stops for a short time only.
  assert.equal(countOf(polls(rule, 100, (poll) => poll > 3)), 92);
});

/** A device that has a request from its n-th look on, and time that looks take. */
class Device {
  looks = 0;
  timeNs = 0;
  readyAt = Infinity;
  readonly memory = createPollMemory();
  readonly poll = new RequestPoll(
    () => {
      this.timeNs += 300;
      return ++this.looks >= this.readyAt;
    },
    this.memory,
    () => this.timeNs,
  );

  /** One request, found at the given look. @returns looks that it took */
  request(readyAt: number, requester: number): number {
    this.looks = 0;
    this.readyAt = readyAt;
    this.poll.wait();
    this.poll.received(requester);
    return this.looks;
  }
}

const ALICE = 100;
const BOB = 200;

Deno.test("RequestPoll.wait() returns at the first look that finds a request", () => {
  const device = new Device();
  device.request(1, ALICE);
  for (let i = 0; i < 100; i++) assert.equal(device.request(30, ALICE), 30);
});

Deno.test("RequestPoll.wait() gives up after a bounded time, and does not poll for the next", () => {
  const device = new Device();
  const looks = device.request(Infinity, ALICE);
  assert.ok(looks * 300 >= POLL_NS && looks * 300 < POLL_NS + 1000, `${looks}`);
  assert.equal(device.request(Infinity, ALICE), 0);
});

Deno.test("RequestPoll stops when several ask by turns, and goes on when one asks alone", () => {
  const device = new Device();
  let looks = 0;
  for (let i = 0; i < 2000; i++) looks += device.request(10, i % 2 === 0 ? ALICE : BOB);
  assert.ok(looks < 200, `${looks}`);
  looks = 0;
  for (let i = 0; i < 2000; i++) looks += device.request(10, ALICE);
  assert.ok(looks > 9000, `${looks}`);
});

Deno.test("RequestPoll judges by requests that were waited for only", () => {
  const device = new Device();
  device.request(10, ALICE);
  for (let i = 0; i < 100; i++) device.request(1, i % 2 === 0 ? ALICE : BOB);
  device.request(1, ALICE);
  assert.equal(device.request(10, ALICE), 10);
});

Deno.test("RequestPoll.wait() leaves polling to the thread that does already", () => {
  const device = new Device();
  const cell = new Int32Array(device.memory);
  cell[0] = 1;
  assert.equal(device.request(10, ALICE), 1);
  cell[0] = 0;
  assert.equal(device.request(10, ALICE), 10);
  assert.equal(cell[0], 0);
});
