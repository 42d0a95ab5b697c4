import assert from "node:assert/strict";
import { forwardingCode, latchingCode, latchSignals, SIGTERM } from "#ffi/libc/signals.ts";
import { runCommand } from "#tests/support/process.ts";

const MODULE = new URL("../../../ffi/libc/signals.ts", import.meta.url).href;

/** Signals itself `times` times in one turn of the event loop. */
function signalled(times: number, shell = 'exec "$@"') {
  const script = `
    import { latchSignals, SIGTERM } from ${JSON.stringify(MODULE)};
    const kill = Deno.dlopen("libc.so.6", {
      kill: { parameters: ["i32", "i32"], result: "i32" },
    }).symbols.kill;
    const latch = latchSignals([SIGTERM]);
    console.log(latch.isRaised);
    for (let i = 0; i < ${times}; i++) kill(Deno.pid, SIGTERM);
    const end = performance.now() + 2000;
    while (!latch.isRaised && performance.now() < end);
    console.log(latch.isRaised);
  `;
  const command = ["sh", "-c", shell, "sh", Deno.execPath(), "eval", "--no-config", script];
  return runCommand(command, { timeoutMs: 20_000, check: false });
}

Deno.test("latchSignals() notes a signal while the event loop stands still", async () => {
  const { code, stdout } = await signalled(1);
  assert.equal(stdout, "false\ntrue\n");
  assert.equal(code, 0);
});

Deno.test("latchSignals() lets a second signal end the process", async () => {
  const { code, stdout } = await signalled(2);
  assert.ok(stdout.startsWith("false\n"));
  assert.notEqual(code, 0);
});

Deno.test("latchSignals() leaves signals alone that are ignored", async () => {
  const { code, stdout } = await signalled(3, `trap '' TERM; exec "$@"`);
  assert.equal(stdout, "false\nfalse\n");
  assert.equal(code, 0);
});

Deno.test("latchSignals() gives the signals back", async () => {
  const heard = Promise.withResolvers<void>();
  const listener = () => heard.resolve();
  Deno.addSignalListener("SIGTERM", listener);
  const latch = latchSignals([SIGTERM]);
  latch.release();
  Deno.kill(Deno.pid, "SIGTERM");
  // A listener alone does not keep the event loop going.
  const timer = setTimeout(() => heard.reject(new Error("the signal was lost")), 5000);
  await heard.promise;
  clearTimeout(timer);
  assert.equal(latch.isRaised, false);
  Deno.removeSignalListener("SIGTERM", listener);
});

Deno.test("latchingCode() and forwardingCode() are whole instructions on both architectures", () => {
  const address = 0x1234_5678_9abc_def0n;
  for (const code of [latchingCode, (at: bigint, arch: string) => forwardingCode(at, 23, arch)]) {
    for (const arch of ["x86_64", "aarch64"]) {
      const bytes = code(address, arch);
      assert.equal(bytes.length, 24);
      const hex = bytes.toHex();
      assert.ok(hex.includes("f0debc9a78563412"), "the address is in it");
    }
  }
});
