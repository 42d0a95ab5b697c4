import assert from "node:assert/strict";
import { queryMessage, startupMessage, takeMessage } from "#src/postgres/format/messages.ts";

function bytesOf(type: string, ...body: (number | string)[]): Uint8Array {
  const bytes = body.flatMap((part) =>
    typeof part === "number" ? [part] : [...new TextEncoder().encode(part)]
  );
  return Uint8Array.from([type.charCodeAt(0), 0, 0, 0, bytes.length + 4, ...bytes]);
}

Deno.test("messages of a client have their length in front", () => {
  assert.deepEqual([...queryMessage("a")], [81, 0, 0, 0, 6, 97, 0]);
  assert.deepEqual([...startupMessage({ u: "x" })], [
    ...[0, 0, 0, 13, 0, 3, 0, 0],
    ...[117, 0, 120, 0, 0],
  ]);
});

Deno.test("messages of a server are taken one by one, when they are complete", () => {
  const row = bytesOf("D", 0, 2, 0, 0, 0, 1, "t", 255, 255, 255, 255);
  const both = Uint8Array.from([...row, ...bytesOf("Z", "I")]);
  assert.deepEqual(takeMessage(both), {
    message: { type: "row", values: ["t", null] },
    size: row.length,
  });
  assert.deepEqual(takeMessage(both.subarray(row.length))?.message, { type: "ready" });
  for (let size = 0; size < row.length; size++) {
    assert.equal(takeMessage(row.subarray(0, size)), undefined);
  }
  assert.deepEqual(
    takeMessage(bytesOf("E", "C", "XX001", 0, "M", "bad", 0, 0))?.message,
    { type: "error", fields: { C: "XX001", M: "bad" } },
  );
});

Deno.test("messages that lie about their length are refused", () => {
  assert.throws(() => takeMessage(Uint8Array.from([68, 0x7f, 0, 0, 0])), /message of/);
  assert.throws(() => takeMessage(Uint8Array.from([68, 0, 0, 0, 0])), /message of/);
  assert.throws(() => takeMessage(bytesOf("D", 0, 1, 0, 0, 0, 9, "t")), /ends too early/);
  assert.throws(() => takeMessage(bytesOf("D", 0, 1, 128, 0, 0, 0)), /ends too early/);
  assert.throws(() => takeMessage(bytesOf("E", "C", "no end")), /no end/);
});
