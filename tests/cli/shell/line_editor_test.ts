import assert from "node:assert/strict";
import { type Complete, type EditState, LineEditor } from "#src/cli/shell/line_editor.ts";

const nothing: Complete = (lineStart) => ({ start: lineStart.length, candidates: [] });

function typed(keys: string, history: readonly string[] = [], complete = nothing) {
  const editor = new LineEditor(history, complete);
  let state: EditState = "open";
  for (const byte of new TextEncoder().encode(keys)) state = editor.type(byte);
  return { text: editor.text, state, editor };
}

Deno.test("LineEditor ends with Return, Ctrl-C, and Ctrl-D on an empty line", () => {
  assert.equal(typed("ls\r").state, "accepted");
  assert.equal(typed("ls\x03").state, "interrupted");
  assert.equal(typed("\x04").state, "ended");
  assert.equal(typed("ls\x04").state, "open");
});

Deno.test("LineEditor moves and deletes by whole characters", () => {
  assert.equal(typed("aü€b\x1b[D\x1b[D\x7f").text, "a€b");
  assert.equal(typed("abc\x01\x04").text, "bc");
  assert.equal(typed("abc\x1b[H\x1b[3~\x1b[Fd").text, "bcd");
  assert.equal(typed("abc\x1bOD\x1bODx").text, "axbc");
  assert.equal(typed("one two  \x17x").text, "one x");
  assert.equal(typed("one\x02\x02\x0b").text, "o");
  assert.equal(typed("one\x02\x15").text, "e");
  assert.equal(typed("a\x1b[1;5Cb").text, "ab", "unknown keys do nothing");
});

Deno.test("LineEditor recalls former lines and keeps the one at hand", () => {
  assert.equal(typed("\x1b[A", ["one", "two"]).text, "two");
  assert.equal(typed("\x10\x10\x10", ["one", "two"]).text, "one");
  assert.equal(typed("new\x1b[A\x1b[B", ["one"]).text, "new");
  assert.equal(typed("\x0e", ["one"]).text, "");
});

Deno.test("LineEditor completes what candidates have in common, then lists them", () => {
  const complete: Complete = () => ({ start: 3, candidates: ["etc/", "extra "] });
  assert.equal(typed("cd \t", [], complete).text, "cd e");
  assert.equal(typed("cd e\t", [], complete).editor.takeCandidates(), undefined);
  const { editor } = typed("cd e\t\t", [], complete);
  assert.deepEqual(editor.takeCandidates(), ["etc/", "extra "]);
  assert.equal(editor.takeCandidates(), undefined);
  const single: Complete = () => ({ start: 3, candidates: ["e\\ f "] });
  assert.equal(
    typed("cd e tail\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\t", [], single).text,
    "cd e\\ f  tail",
  );
});

Deno.test("LineEditor shows the part of a long line around the cursor", () => {
  const { editor } = typed("0123456789");
  assert.equal(editor.render("> ", 80), "\r\x1b[K> 0123456789");
  assert.equal(editor.render("> ", 8), "\r\x1b[K> 56789");
  editor.type(0x01);
  assert.equal(editor.render("> ", 8), "\r\x1b[K> 01234\x1b[5D");
});
