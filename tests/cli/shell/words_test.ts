import assert from "node:assert/strict";
import fc from "fast-check";
import { escapeWord, splitLineStart, splitWords } from "#src/cli/shell/words.ts";
import { UsageError } from "#src/errors.ts";

Deno.test("splitWords() takes quotation marks, backslashes and comments as a shell does", () => {
  assert.deepEqual(splitWords("  ls -l  /a\\ b "), ["ls", "-l", "/a b"]);
  assert.deepEqual(splitWords(`cat 'a "b" \\' "c 'd' \\" e"x`), ["cat", 'a "b" \\', `c 'd' " ex`]);
  assert.deepEqual(splitWords("ls '' # nothing"), ["ls", ""]);
  assert.deepEqual(splitWords("ls a#b"), ["ls", "a#b"]);
  assert.deepEqual(splitWords("# all of it"), []);
  assert.deepEqual(splitWords(""), []);
  assert.throws(() => splitWords("ls 'a"), UsageError);
});

Deno.test("splitLineStart() knows where the word at the cursor begins", () => {
  assert.deepEqual(splitLineStart("ls /a\\ b"), {
    words: ["ls"],
    open: { start: 3, text: "/a b" },
  });
  assert.deepEqual(splitLineStart("ls "), { words: ["ls"], open: { start: 3, text: "" } });
  assert.deepEqual(splitLineStart("ls 'a b"), { words: ["ls"], open: { start: 3, text: "a b" } });
});

Deno.test("escapeWord() is undone by splitWords()", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", minLength: 1 }), (text) => {
    assert.deepEqual(splitWords(`x ${escapeWord(text)} y`), ["x", text, "y"]);
  }));
});
