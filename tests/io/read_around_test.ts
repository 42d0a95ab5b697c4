import { deepEqual, equal } from "node:assert/strict";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { type ByteSource, checkRead } from "#src/io/byte_source.ts";
import { PIECE_SIZE, readingAround } from "#src/io/read_around.ts";

const SIZE = 40 * PIECE_SIZE + 100;

/** A source that notes in order what is read and what is asked for ahead. */
function noting(events: string[]): ByteSource {
  return {
    size: SIZE,
    readAt(target, start, size, offset) {
      checkRead(target, start, size, offset);
      events.push(`read ${offset}`);
      return Math.max(0, Math.min(size, SIZE - offset));
    },
    willRead: (offset, size) => events.push(`ahead ${offset} ${size}`),
    close: () => events.push("close"),
  };
}

Deno.test("readingAround() fetches the piece around a read once, before the read", () => {
  const events: string[] = [];
  const source = readingAround(() => noting(events))("f");
  const target = plainBuffer(1000);
  equal(source.size, SIZE);
  for (const offset of [25 * PIECE_SIZE + 700, 2 * PIECE_SIZE, 25 * PIECE_SIZE + 100_000]) {
    equal(source.readAt(target, 0, 600, offset), 600);
  }
  equal(source.readAt(target, 0, 600, 40 * PIECE_SIZE), 100, "as short as without");
  deepEqual(events, [
    `ahead ${25 * PIECE_SIZE} ${PIECE_SIZE}`,
    `read ${25 * PIECE_SIZE + 700}`,
    `ahead ${2 * PIECE_SIZE} ${PIECE_SIZE}`,
    `read ${2 * PIECE_SIZE}`,
    `read ${25 * PIECE_SIZE + 100_000}`,
    `ahead ${40 * PIECE_SIZE} ${PIECE_SIZE}`,
    `read ${40 * PIECE_SIZE}`,
  ]);
  events.length = 0;
  source.close();
  deepEqual(events, ["close"]);
});

Deno.test("readingAround() leaves reads in order to the kernel", () => {
  const events: string[] = [];
  const source = readingAround(() => noting(events))("f");
  const size = 5000;
  const target = plainBuffer(2 * PIECE_SIZE);
  for (let offset = 0; offset < 3 * PIECE_SIZE; offset += size) {
    source.readAt(target, 0, size, offset);
  }
  // What is longer than a piece goes on behind its end, not behind its start.
  source.readAt(target, 0, 2 * PIECE_SIZE, 3 * PIECE_SIZE);
  source.readAt(target, 0, size, 5 * PIECE_SIZE);
  // Other threads have the pieces between.
  source.readAt(target, 0, size, 12 * PIECE_SIZE);
  deepEqual(events.filter((event) => event.startsWith("ahead")), []);
});

Deno.test("readingAround() asks for nothing outside of the file", () => {
  const events: string[] = [];
  const source = readingAround(() => noting(events))("f");
  equal(source.readAt(plainBuffer(10), 0, 10, 60 * PIECE_SIZE), 0);
  deepEqual(events, [`read ${60 * PIECE_SIZE}`]);
});

Deno.test("readingAround() gives a source that cannot read ahead as it is", () => {
  const source: ByteSource = { size: 1, readAt: () => 0, close: () => {} };
  equal(readingAround(() => source)("f"), source);
});
