import assert from "node:assert/strict";
import { UsageError } from "#src/errors.ts";
import { checkNewPassword, type LineState, PasswordLine } from "#src/cli/terminal/password.ts";

function type(keys: string): { text: string; state: LineState } {
  const line = new PasswordLine();
  let state: LineState = "open";
  for (const byte of new TextEncoder().encode(keys)) state = line.type(byte);
  return { text: line.text, state };
}

Deno.test("PasswordLine ends with Return, line feed and Ctrl-D", () => {
  assert.deepEqual(type("secret\r"), { text: "secret", state: "complete" });
  assert.deepEqual(type("secret\n"), { text: "secret", state: "complete" });
  assert.deepEqual(type("secret\x04"), { text: "secret", state: "complete" });
  assert.deepEqual(type("secret"), { text: "secret", state: "open" });
});

Deno.test("PasswordLine takes back whole characters", () => {
  assert.equal(type("aü\x7f").text, "a");
  assert.equal(type("a€\x08\x7f\x7fb").text, "b");
  assert.equal(type("wrong\x15right").text, "right");
});

Deno.test("PasswordLine is cancelled by Ctrl-C", () => {
  assert.equal(type("sec\x03").state, "cancelled");
});

Deno.test("PasswordLine does not grow without end", () => {
  assert.equal(type("x".repeat(10_000)).text.length, 4096);
});

Deno.test("checkNewPassword() counts bytes", () => {
  assert.throws(() => checkNewPassword("abcd"), UsageError);
  checkNewPassword("äöa");
});
