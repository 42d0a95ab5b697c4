import assert from "node:assert/strict";
import { LimitError, ProtocolError, StateError } from "#src/errors.ts";
import { Mailbox } from "#src/threads/mailbox/mailbox.ts";
import { createMailbox, MailSlots, MailState } from "#src/threads/mailbox/slots.ts";
import type { TestRequest } from "./mailbox_worker.ts";

const TIMEOUT_MS = 60_000;
const SIZE = { slotCount: 3, areaBytes: 4096 } as const;

function startThread(message: unknown): Worker {
  const url = new URL("./mailbox_worker.ts", import.meta.url);
  const worker = new Worker(url, { type: "module" });
  worker.postMessage(message);
  return worker;
}

/** What a thread says in the end. */
function resultOf(worker: Worker): Promise<unknown> {
  return new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
}

/** A mailbox with a thread that answers. */
function withMailbox(
  use: (call: (request: TestRequest, payload?: Uint8Array) => unknown, mailbox: Mailbox) => unknown,
): () => Promise<void> {
  return async () => {
    const mailbox = new Mailbox(createMailbox(SIZE));
    const thread = startThread({ shared: mailbox.shared, role: "answer" });
    const ended = resultOf(thread);
    try {
      await use(
        (request, payload) =>
          mailbox.call(request, { timeoutMs: TIMEOUT_MS, ...payload && { payload } }),
        mailbox,
      );
    } finally {
      mailbox.stop();
      await ended;
      thread.terminate();
    }
  };
}

function isThreadEnded(error: unknown): boolean {
  return error instanceof ProtocolError && error.code === "thread-ended" && error.isTemporary;
}

Deno.test(
  "Mailbox hands requests with bytes over, and values and bytes back, while its caller blocks",
  withMailbox((call, mailbox) => {
    assert.equal(call({ what: "sum", value: 5 }, Uint8Array.of(1, 2, 3)), 11);
    let bytes: number[] = [];
    const take = (part: Uint8Array) => bytes = [...part];
    const payload = Uint8Array.of(7, 8, 9);
    const value = mailbox.call({ what: "echo", value: 1 }, {
      payload,
      take,
      timeoutMs: TIMEOUT_MS,
    });
    assert.deepEqual([value, bytes], [{ what: "echo", value: 1 }, [9, 8, 7]]);
    for (let round = 0; round < 200; round++) {
      assert.equal(call({ what: "sum", value: round }), round);
    }
  }),
);

Deno.test(
  "Mailbox throws what the thread has thrown, as what it was",
  withMailbox((call) => {
    assert.throws(
      () => call({ what: "fail" }),
      (error) =>
        error instanceof StateError && error.code === "not-found" &&
        error.hint === "Look elsewhere",
    );
    assert.equal(call({ what: "sum", value: 1 }), 1);
  }),
);

Deno.test(
  "Mailbox hands a large answer over in parts, in the same room",
  withMailbox((_, mailbox) => {
    const parts: string[] = [];
    const take = (part: Uint8Array) => parts.push(part.join(""));
    const value = mailbox.call({ what: "parts", value: 4 }, { take, timeoutMs: TIMEOUT_MS });
    assert.deepEqual([value, parts], ["all", ["1", "22", "333", "4444", ""]]);
  }),
);

Deno.test(
  "A caller of Mailbox that has failed to take a part gives its place back",
  withMailbox((call, mailbox) => {
    for (let round = 0; round < 2 * SIZE.slotCount; round++) {
      const take = () => {
        throw new RangeError("no room");
      };
      assert.throws(
        () => mailbox.call({ what: "parts", value: 3 }, { take, timeoutMs: TIMEOUT_MS }),
        RangeError,
      );
    }
    assert.equal(call({ what: "sum", value: 1 }), 1);
  }),
);

Deno.test(
  "Mailbox refuses what has no room, before and behind, and stays usable",
  withMailbox((call) => {
    for (let round = 0; round < 2 * SIZE.slotCount; round++) {
      assert.throws(() => call({ what: "sum" }, new Uint8Array(SIZE.areaBytes)), LimitError);
    }
    // The request fits, its answer (with the text) does not.
    assert.throws(() => call({ what: "echo", value: 1000 }, new Uint8Array(4072)), LimitError);
    assert.equal(call({ what: "sum", value: 1 }), 1);
  }),
);

Deno.test(
  "A call of Mailbox ends in time, or when its caller is to stop; its request is aborted",
  withMailbox((call, mailbox) => {
    const never: TestRequest = { what: "never" };
    assert.throws(
      () => mailbox.call(never, { timeoutMs: 20 }),
      (error) => error instanceof StateError && error.code === "timeout",
    );
    const stop = new DOMException("stop", "AbortError");
    const slots = new MailSlots(mailbox.shared);
    const throwIfStopped = () => {
      if (slots.stateOf(1) === MailState.TAKEN || slots.stateOf(2) === MailState.TAKEN) throw stop;
    };
    assert.throws(
      () => mailbox.call(never, { timeoutMs: TIMEOUT_MS, throwIfStopped }),
      (error) => error === stop,
    );
    // Both places come back: more calls than there are places.
    for (let round = 0; round < SIZE.slotCount; round++) {
      assert.throws(() => mailbox.call(never, { timeoutMs: 1 }), StateError);
    }
    // What the thread had not seen when it was given up is never begun.
    while (call({ what: "aborted" }) !== call({ what: "begun" })) { /* soon */ }
    assert.notEqual(call({ what: "aborted" }), 0);
  }),
);

Deno.test(
  "Mailbox takes requests that nobody waits for, unless all places are in use",
  withMailbox((call, mailbox) => {
    let count = 0;
    for (let round = 0; round < 50; round++) {
      if (mailbox.post({ what: "late" } satisfies TestRequest)) count++;
    }
    assert.ok(count > 0);
    while (call({ what: "count" }) !== count) { /* soon */ }
  }),
);

Deno.test(
  "An urgent call of Mailbox has a place though all others are in use",
  withMailbox((_, mailbox) => {
    // What has all places is not answered before the thread ends.
    while (mailbox.post({ what: "never" } satisfies TestRequest)) { /* one place more */ }
    const urgent = { timeoutMs: TIMEOUT_MS, isUrgent: true };
    for (let round = 0; round < 2 * SIZE.slotCount; round++) {
      assert.equal(mailbox.call({ what: "sum", value: round }, urgent), round);
    }
    assert.throws(
      () => mailbox.call({ what: "sum" }, { timeoutMs: 50 }),
      (error) => error instanceof StateError && error.code === "timeout",
    );
  }),
);

Deno.test(
  "Mailbox serves more threads than it has places",
  withMailbox(async (_, mailbox) => {
    const callers = Array.from(
      { length: 2 * SIZE.slotCount },
      () => startThread({ shared: mailbox.shared, role: "call", calls: 150 }),
    );
    assert.deepEqual(await Promise.all(callers.map(resultOf)), callers.map(() => 0));
  }),
);

Deno.test("A call of Mailbox fails when the thread ends by order while it is in hand", async () => {
  const mailbox = new Mailbox(createMailbox(SIZE));
  const thread = startThread({ shared: mailbox.shared, role: "answer" });
  const ended = resultOf(thread);
  const throwIfStopped = () => mailbox.stop();
  assert.throws(
    () => mailbox.call({ what: "never" }, { timeoutMs: TIMEOUT_MS, throwIfStopped }),
    isThreadEnded,
  );
  await ended;
  assert.throws(() => mailbox.call({ what: "sum" }, { timeoutMs: TIMEOUT_MS }), isThreadEnded);
  thread.terminate();
});

Deno.test("A call of Mailbox fails when the thread has gone without a word, or never came", () => {
  const mailbox = new Mailbox(createMailbox(SIZE), 1000);
  const sum: TestRequest = { what: "sum", value: 3 };
  const thread = startThread({ shared: mailbox.shared, role: "answer" });
  const patient = new Mailbox(mailbox.shared);
  assert.equal(patient.call(sum, { timeoutMs: TIMEOUT_MS }), 3);
  thread.terminate();
  assert.throws(() => mailbox.call(sum, { timeoutMs: TIMEOUT_MS }), isThreadEnded);
  const nobody = new Mailbox(createMailbox(SIZE), 500);
  assert.throws(() => nobody.call(sum, { timeoutMs: TIMEOUT_MS }), isThreadEnded);
});
