import assert from "node:assert/strict";
import { ProtocolError, StateError, UsageError } from "#src/errors.ts";
import { formatError } from "#src/cli/exit_code.ts";
import { DiffLockedError } from "#src/overlay/diff_lock.ts";
import { type LaunchOptions, launchWorker } from "#src/usecases/mounting/process/launch.ts";
import {
  formatHandshake,
  handshakeError,
  parseHandshake,
} from "#src/usecases/mounting/handshake.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { waitUntil } from "#tests/support/process.ts";

const STARTED = `echo '{"type":"started","pid":7}'`;
const MOUNTED = `echo '{"type":"mounted","pid":7}'`;

/** Launches a shell script in place of the worker. */
function launch(script: string, options: Partial<LaunchOptions> = {}) {
  return launchWorker({
    command: ["sh", "-c", script],
    mountPath: "/mnt/x",
    waitForMount: true,
    timeoutMs: undefined,
    logPath: undefined,
    ...options,
  });
}

function failed(error: object): string {
  return `echo '${JSON.stringify({ type: "failed", error })}'`;
}

Deno.test("launchWorker() returns when the mount answers", async () => {
  const result = await launch(`${STARTED}; sleep 0.1; ${MOUNTED}; sleep 1`);
  assert.deepEqual(result, { state: "mounted", pid: 7 });
});

Deno.test("launchWorker() returns after the checks when not told to wait", async () => {
  const before = performance.now();
  const result = await launch(`${STARTED}; sleep 5; ${MOUNTED}`, { waitForMount: false });
  assert.deepEqual(result, { state: "started", pid: 7 });
  assert.ok(performance.now() - before < 4000);
});

Deno.test("launchWorker() reports a mount that comes or fails right after the checks when not told to wait", async () => {
  const options = { waitForMount: false };
  assert.equal((await launch(`${STARTED}; sleep 0.2; ${MOUNTED}`, options)).state, "mounted");
  const script = failed({ code: "EPERM", message: "no mount", isUsage: false });
  await assert.rejects(launch(`${STARTED}; sleep 0.2; ${script}`, options), { code: "EPERM" });
  await assert.rejects(launch(`${STARTED}; exit 1`, options), { code: "worker-ended" });
});

Deno.test("launchWorker() reports a failure of the checks even when not told to wait", async () => {
  const script = failed({
    code: "locked",
    message: "in use",
    hint: "wait",
    isUsage: false,
    details: { offset: 42 },
  });
  await assert.rejects(launch(script, { waitForMount: false }), (error) => {
    assert.ok(error instanceof ProtocolError);
    assert.equal(error.code, "locked");
    assert.equal(Reflect.get(error, "offset"), 42);
    assert.equal(error.message, "in use");
    assert.equal(error.hint, "wait");
    return true;
  });
});

Deno.test("launchWorker() reports a failure after the checks when told to wait", async () => {
  const script = `${STARTED}; ${failed({ code: "EIO", message: "no mount", isUsage: false })}`;
  await assert.rejects(launch(script), { code: "EIO", message: "no mount" });
});

Deno.test("launchWorker() reports of an error all that the worker knew of it", async () => {
  const lost = new DiffLockedError("/d", { pid: 7, mountPath: "/m" });
  const text = formatHandshake({ type: "failed", error: handshakeError(lost) }).trim();
  await assert.rejects(launch(`echo '${text}'`), (error) => {
    const told = JSON.parse(formatError(error, "json"));
    assert.equal(told.temporary, true);
    assert.deepEqual(told, JSON.parse(formatError(lost, "json")));
    return true;
  });
});

Deno.test("launchWorker() keeps wrong usage apart", async () => {
  await assert.rejects(launch(failed({ code: "usage", message: "x", isUsage: true })), UsageError);
});

Deno.test("launchWorker() fails with the last words of a worker that ends in silence", async () => {
  using directory = new TempDirectory("launch");
  const logPath = directory.join("log");
  Deno.writeTextFileSync(logPath, "of an earlier mount\n");
  const script = `${STARTED}; echo disaster >>${logPath}; echo Killed >&2; exit 3`;
  await assert.rejects(launch(script, { logPath }), (error) => {
    assert.ok(error instanceof ProtocolError);
    assert.equal(error.message, "worker exited before reporting mount completion");
    assert.match(error.hint!, /disaster\nKilled/);
    assert.doesNotMatch(error.hint!, /earlier/);
    return true;
  });
});

Deno.test("launchWorker() stops waiting at the timeout and lets the worker go on", async () => {
  using directory = new TempDirectory("launch");
  const proof = directory.join("proof");
  const script = `${STARTED}; sleep 0.6; ${MOUNTED}; echo done >${proof}`;
  await assert.rejects(launch(script, { timeoutMs: 200 }), (error) => {
    assert.ok(error instanceof StateError);
    assert.equal(error.code, "timeout");
    assert.match(error.message, /^mount still in progress/);
    return true;
  });
  const exists = () => Deno.readTextFile(proof).then(() => true, () => false);
  await waitUntil(exists, 10_000, () => "the worker did not go on");
});

Deno.test("launchWorker() stops waiting on a signal and lets the worker go on", async () => {
  using directory = new TempDirectory("launch");
  const proof = directory.join("proof");
  setTimeout(() => Deno.kill(Deno.pid, "SIGTERM"), 200);
  const script = `${STARTED}; sleep 0.6; echo done >${proof}`;
  await assert.rejects(launch(script), /mount still in progress/);
  const exists = () => Deno.readTextFile(proof).then(() => true, () => false);
  await waitUntil(exists, 10_000, () => "the worker did not go on");
});

Deno.test("launchWorker() passes over lines that are no messages", async () => {
  const result = await launch(`echo noise; echo '{"type":"other"}'; echo '[]'; ${MOUNTED}`);
  assert.equal(result.state, "mounted");
});

Deno.test("parseHandshake() reads what formatHandshake() writes", () => {
  const message = {
    type: "failed",
    error: { code: "x", message: "line\nbreak", isUsage: false },
  } as const;
  const line = formatHandshake(message);
  assert.equal(line.indexOf("\n"), line.length - 1);
  assert.deepEqual(parseHandshake(line.trimEnd()), message);
});
