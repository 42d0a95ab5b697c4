import assert from "node:assert/strict";
import { close, open, OpenFlag } from "#ffi/libc/calls.ts";
import { InHeader, Opcode } from "#ffi/libfuse3/kernel.ts";
import { Errno } from "#ffi/os_error.ts";
import { WaitEnded, WaitRefused } from "#src/io/wait_gate.ts";
import { RequestGate } from "#src/mount/pending/request_gate.ts";
import { WaitGuard } from "#src/mount/pending/wait_guard.ts";
import { createWaitMemory, Duty, WaitTable } from "#src/mount/pending/wait_table.ts";
import { Request } from "#src/mount/request.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { waitUntil } from "#tests/support/process.ts";

const PERMITS = 2;
const TIMEOUT_MS = 30_000;

/** Threads of one mount, all in this one. Answers that others give for them go to a file. */
class Threads implements Disposable {
  readonly table = new WaitTable(createWaitMemory(PERMITS + 1));
  alarms = 0;
  readonly #home = new TempDirectory("gate");
  readonly #path = this.#home.join("device");
  readonly #fd = open(this.#path, OpenFlag.WRONLY | OpenFlag.CREAT, 0o600);
  #answersRead = 0;
  readonly gates = Array.from({ length: PERMITS + 1 }, (_, index) => {
    const request = new Request();
    const gate = new RequestGate({
      table: this.table,
      index,
      deviceFd: this.#fd,
      request,
      alarm: () => this.alarms++,
    });
    return { gate, request };
  });

  constructor() {
    this.table.addPermits(PERMITS);
  }

  /** Lets a thread begin with a request. */
  begin(index: number, unique: number, opcode: number = Opcode.READ): RequestGate {
    const { gate, request } = this.gates[index]!;
    request.size = 80;
    request.setUint32(InHeader.UNIQUE, unique);
    request.setUint32(InHeader.OPCODE, opcode);
    gate.begin();
    return gate;
  }

  /** The next answer that a thread gave for another. */
  answer(): { unique: number; errno: number } {
    const start = 16 * this.#answersRead++;
    const view = new DataView(Deno.readFileSync(this.#path).buffer, start, 16);
    return { unique: view.getUint32(8, true), errno: -view.getInt32(4, true) };
  }

  [Symbol.dispose](): void {
    close(this.#fd);
    this.#home[Symbol.dispose]();
  }
}

Deno.test("RequestGate lets so many requests wait at a time, and puts off the others", () => {
  using threads = new Threads();
  const first = threads.begin(0, 10);
  const second = threads.begin(1, 12);
  first.enter();
  assert.equal(threads.alarms, 0);
  second.enter();
  // Nobody who could be told sooner: the last permit is taken.
  assert.equal(threads.alarms, 1);
  const spare = threads.begin(2, 14);
  assert.throws(() => spare.enter(), WaitRefused);
  assert.equal(spare.tryAdmit(), false);
  assert.ok(spare.putOff());
  assert.equal(spare.finish(), false);
  assert.equal(spare.takeOver(), false);
  first.leave();
  // The permit is the request's, not the wait's.
  assert.equal(spare.takeOver(), false);
  assert.equal(first.finish(), false);
  assert.ok(first.takeOver());
  assert.equal(threads.gates[0]!.request.uniqueLow, 14);
  first.enter();
  first.leave();
  assert.equal(first.finish(), false);
  second.leave();
  second.finish();
  assert.equal(threads.table.permitsTaken, 0);
});

Deno.test("RequestGate.takeOver() leaves alone what is left when the mount has ended", () => {
  using threads = new Threads();
  const gate = threads.begin(0, 10);
  assert.ok(gate.putOff());
  gate.finish();
  threads.table.duty = Duty.END;
  assert.equal(gate.takeOver(), false);
  assert.equal(threads.table.queue.count, 1);
  threads.table.duty = Duty.REST;
  assert.ok(gate.takeOver());
});

Deno.test("RequestGate: nested waits are one, and outside of requests there are none", () => {
  using threads = new Threads();
  const gate = threads.begin(0, 10);
  gate.enter();
  gate.enter();
  gate.leave();
  threads.table.interrupt(10, 0);
  assert.throws(() => gate.leave(), WaitEnded);
  assert.ok(gate.finish());
  gate.enter();
  gate.leave();
  assert.equal(gate.tryAdmit(), true);
  assert.equal(threads.table.permitsTaken, 0);
});

Deno.test("RequestGate.runTask() takes a permit only when it is asked for, and nobody ends it", () => {
  using threads = new Threads();
  const { gate } = threads.gates[0]!;
  gate.runTask(() => {});
  gate.runTask(() => {
    assert.ok(gate.tryAdmit());
    gate.enter();
    threads.table.interrupt(0, 0);
    gate.leave();
    assert.equal(threads.table.permitsTaken, 1);
  });
  assert.equal(threads.table.permitsTaken, 0);
});

Deno.test("an interrupt answers a request that waits for its source, once", () => {
  using threads = new Threads();
  const gate = threads.begin(0, 10);
  gate.enter();
  threads.table.interrupt(10, 0);
  assert.deepEqual(threads.answer(), { unique: 10, errno: Errno.EINTR });
  assert.throws(() => gate.leave(), WaitEnded);
  // Whoever does not let the exception through gets it again.
  assert.throws(() => gate.enter(), WaitEnded);
  threads.table.interrupt(10, 0);
  assert.equal(gate.finish(), true);
  assert.equal(threads.table.ended.interrupted, 1);
  // The next request is another one.
  threads.begin(0, 16);
  gate.enter();
  gate.leave();
  assert.equal(gate.finish(), false);
});

Deno.test("an interrupt leaves a request alone that does not wait, until it does", () => {
  using threads = new Threads();
  const gate = threads.begin(0, 10);
  gate.enter();
  gate.leave();
  threads.table.interrupt(10, 0);
  // What it changes now is done before it is answered, by its own thread.
  assert.throws(() => gate.enter(), WaitEnded);
  assert.equal(gate.finish(), false);
  assert.equal(threads.table.ended.interrupted, 0);
});

Deno.test("an interrupt that comes before its request waits ends it when it would", () => {
  using threads = new Threads();
  threads.table.interrupt(10, 0);
  const gate = threads.begin(0, 10);
  assert.throws(() => gate.enter(), WaitEnded);
  assert.equal(gate.finish(), false);
  assert.equal(threads.table.permitsTaken, 0);
});

Deno.test("an interrupt takes a request out of the queue", () => {
  using threads = new Threads();
  threads.begin(0, 10).enter();
  threads.begin(1, 12).enter();
  const spare = threads.begin(2, 14);
  assert.throws(() => spare.enter(), WaitRefused);
  spare.putOff();
  spare.finish();
  threads.table.interrupt(14, 0);
  assert.deepEqual(threads.answer(), { unique: 14, errno: Errno.EINTR });
  assert.equal(threads.table.queue.count, 0);
});

Deno.test("WaitGuard calls the reserve when no thread moves, and ends what is over its time", async () => {
  using threads = new Threads();
  let started = 0;
  const timeouts: string[] = [];
  const guard = new WaitGuard({
    table: threads.table,
    timeoutMs: 300,
    startReserve: () => started++,
    listeners: { onTimeout: (operation, count) => timeouts.push(`${operation} ${count}`) },
  });
  try {
    const first = threads.begin(0, 10);
    first.enter();
    guard.wake();
    // One thread that hangs leaves another one free.
    await waitUntil(
      () => Promise.resolve(guard.report().threads === 1),
      TIMEOUT_MS,
      () => JSON.stringify(guard.report()),
    );
    assert.equal(started, 0);
    const second = threads.begin(1, 12, Opcode.LOOKUP);
    second.enter();
    await waitUntil(() => Promise.resolve(started === 1), TIMEOUT_MS, () => `${started}`);
    assert.equal(threads.table.duty, Duty.SERVE);
    await waitUntil(
      () => Promise.resolve(timeouts.length === 2),
      TIMEOUT_MS,
      () => timeouts.join(),
    );
    assert.deepEqual(timeouts, ["read 1", "lookup 1"]);
    assert.deepEqual(threads.answer(), { unique: 10, errno: Errno.EIO });
    assert.deepEqual(threads.answer(), { unique: 12, errno: Errno.EIO });
    assert.equal(started, 1);
  } finally {
    guard.stop();
  }
  assert.equal(threads.table.duty, Duty.END);
});
