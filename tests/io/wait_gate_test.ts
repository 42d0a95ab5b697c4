import assert from "node:assert/strict";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { openGated, waitAt, WaitEnded, type WaitGate, WaitRefused } from "#src/io/wait_gate.ts";

/** Notes what it is told, in order, with what the source does between. */
class NotedGate implements WaitGate {
  readonly notes: string[] = [];
  refuses = false;
  ends = false;

  tryAdmit(): boolean {
    return !this.refuses;
  }

  enter(): void {
    if (this.refuses) throw new WaitRefused();
    this.notes.push("enter");
  }

  leave(): void {
    this.notes.push("leave");
    if (this.ends) throw new WaitEnded();
  }
}

function notedSource(notes: string[], extra: Partial<ByteSource> = {}): ByteSource {
  return {
    size: 10,
    readAt(target, start, size) {
      notes.push("read");
      target.bytes.fill(7, start, start + size);
      return size;
    },
    close: () => notes.push("close"),
    ...extra,
  };
}

Deno.test("openGated() tells the gate of opening, reading and having something read", () => {
  const gate = new NotedGate();
  const open = openGated(() => {
    gate.notes.push("open");
    return notedSource(gate.notes, { willRead: () => gate.notes.push("will read") });
  }, gate);
  const source = open("path");
  assert.equal(source.size, 10);
  const target = plainBuffer(4);
  assert.equal(source.readAt(target, 1, 2, 0), 2);
  assert.deepEqual([...target.bytes], [0, 7, 7, 0]);
  source.willRead!(0, 10);
  source.close();
  assert.deepEqual(
    gate.notes.join(),
    "enter,open,leave,enter,read,leave,enter,will read,leave,close",
  );
});

Deno.test("openGated() promises no reading ahead where the source cannot", () => {
  const gate = new NotedGate();
  assert.equal(openGated(() => notedSource(gate.notes), gate)("path").willRead, undefined);
});

Deno.test("openGated() asks nothing of a source when the gate refuses, and leaves nothing open", () => {
  const gate = new NotedGate();
  const open = openGated(() => notedSource(gate.notes), gate);
  const source = open("path");
  gate.notes.length = 0;
  gate.refuses = true;
  assert.throws(() => open("path"), WaitRefused);
  assert.throws(() => source.readAt(plainBuffer(1), 0, 1, 0), WaitRefused);
  assert.deepEqual(gate.notes, []);
  gate.refuses = false;
  gate.ends = true;
  assert.throws(() => open("path"), WaitEnded);
  assert.deepEqual(gate.notes, ["enter", "leave", "close"]);
  assert.throws(() => source.readAt(plainBuffer(1), 0, 1, 0), WaitEnded);
});

Deno.test("openGated() leaves the gate when a source fails", () => {
  const gate = new NotedGate();
  const open = openGated(() => {
    throw new TypeError("no such file");
  }, gate);
  assert.throws(() => open("path"), TypeError);
  assert.throws(() => waitAt(gate, () => assert.fail("fails")), /fails/);
  assert.deepEqual(gate.notes, ["enter", "leave", "enter", "leave"]);
});
