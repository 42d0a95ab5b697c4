import assert from "node:assert/strict";
import { decodeFileName } from "#src/bytes/file_name.ts";
import { exactWords } from "#src/cli/exact_arguments.ts";

const bytes = (...words: readonly (string | readonly number[])[]) =>
  Uint8Array.from(words.flatMap((word) => [
    ...typeof word === "string" ? new TextEncoder().encode(word) : word,
    0,
  ]));

Deno.test("exactWords() gives bytes back that are not UTF-8", () => {
  const odd = decodeFileName(Uint8Array.of(0x2f, 0xff));
  assert.deepEqual(
    exactWords(bytes("deno", "run", "cat", [0x2f, 0xff], "", "ü"), ["cat", "/\ufffd", "", "ü"]),
    ["cat", odd, "", "ü"],
  );
});

Deno.test("exactWords() keeps what the command line does not have", () => {
  assert.deepEqual(exactWords(bytes("x"), ["a", "\ufffd"]), ["a", "\ufffd"]);
  assert.deepEqual(exactWords(bytes("a", "b"), ["a", "\ufffd"]), ["a", "\ufffd"]);
  assert.deepEqual(exactWords(new Uint8Array(), ["\ufffd"]), ["\ufffd"]);
});
