import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { IntegrityError, StateError, UsageError } from "#src/errors.ts";
import {
  digestFile,
  isSameContent,
  payloadRangeOf,
  readPieces,
  requireFile,
} from "#src/transfer/mod.ts";
import type { FileNode } from "#src/tree/mod.ts";
import { directory, file, readModel } from "./_model.ts";

const BYTES = Uint8Array.from({ length: 700_000 }, (_, i) => i * 31);
const reader = readModel(directory({ f: file(BYTES), empty: file(""), d: directory() }));

function read(offset?: number, length?: number): Buffer {
  const pieces = readPieces(requireFile(reader, "/f"), offset, length);
  // Each piece is valid until the next one only.
  return Buffer.concat(Array.from(pieces, (piece) => piece.slice()));
}

Deno.test("readPieces() gives a range of a file", () => {
  assert.ok(read().equals(BYTES));
  assert.ok(read(5, 10).equals(BYTES.slice(5, 15)));
  assert.ok(read(699_990, 100).equals(BYTES.slice(699_990)));
  assert.equal(read(800_000).length, 0);
  assert.equal(read(5, 0).length, 0);
  for (const [offset, length] of [[-1, 5], [5, -1], [NaN, 5], [5, NaN], [0.5, 1]]) {
    assert.throws(() => read(offset, length), UsageError);
  }
});

Deno.test("readPieces() closes the file when it is stopped", () => {
  const entry = requireFile(reader, "/f");
  let isClosed = false;
  const watched: FileNode = {
    ...entry,
    open: () => ({ ...entry.open(), close: () => isClosed = true }),
  };
  for (const _ of readPieces(watched)) break;
  assert.ok(isClosed);
});

Deno.test("digestFile() is the SHA-256 of the content", () => {
  const expected = new Uint8Array(createHash("sha256").update(BYTES).digest());
  assert.deepEqual(digestFile(requireFile(reader, "/f")), expected);
  assert.equal(digestFile(requireFile(reader, "/empty"))[0], 0xe3);
});

Deno.test("digestFile() fails on a file that is shorter than it says", () => {
  const whole = requireFile(reader, "/f");
  const short = { ...whole, attributes: { ...whole.attributes, size: BYTES.length + 1 } };
  assert.throws(() => digestFile(short), IntegrityError);
  assert.throws(() => isSameContent({ ...short, id: -1 }, short), IntegrityError);
});

Deno.test("requireFile() wants a regular file", () => {
  assert.throws(() => requireFile(reader, "/d"), UsageError);
  assert.throws(() => requireFile(reader, "/nope"), StateError);
  assert.equal(payloadRangeOf(reader, "/f"), undefined);
});
