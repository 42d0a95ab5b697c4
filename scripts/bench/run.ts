/**
 * `pbkfs run` against the same server on a plain directory, started, asked and stopped, in turn.
 *
 * @module
 */

import { findServer } from "#src/postgres/binaries.ts";
import { PostgresServer } from "#src/postgres/server.ts";
import { safeSettings } from "#src/postgres/settings.ts";
import { findUser } from "#src/usecases/host_accounts.ts";
import { SERVER_USER } from "#tests/support/postgres.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { median } from "./host.ts";
import { SAMPLE_BACKUP, SAMPLE_INSTANCE, unpackSample } from "./mount/sample.ts";
import { Report } from "./report.ts";
import { addTimes, Times } from "./times.ts";

const ROUNDS = 7;
/** What a mount may add. */
const ALLOWED_SECONDS = 0.3;
const ASK = ["psql", "-XAtc", "select 1"];
const PORT = 5432;
const TIMEOUT_MS = 300_000;

/** Measures and prints. @param checkout path of the sources, with a slash at its end */
export async function benchmarkRun(checkout: string): Promise<void> {
  const program = Deno.env.get("PBKFS_BIN") ?? `${checkout}dist/pbkfs`;
  using place = new TempDirectory("bench");
  await Deno.chmod(place.path, 0o755);
  const source = `${await unpackSample(checkout, place.path)}#${SAMPLE_INSTANCE}/${SAMPLE_BACKUP}`;
  const run = (...command: string[]) =>
    runCommand([program, "run", source, "--work-dir", place.path, "--", ...command], {
      timeoutMs: TIMEOUT_MS,
    });
  // As it is before a server has started: the copy is made of the mount that a run has.
  const before = place.join("before");
  await runCommand(["mkdir", before], { timeoutMs: TIMEOUT_MS });
  const mounted = place.join("mnt");
  const diff = place.join("diff");
  await Deno.mkdir(mounted);
  await runCommand(
    [program, "mount", source, mounted, "--diff-dir", diff, "--wait", "--owner", SERVER_USER],
    { timeoutMs: TIMEOUT_MS },
  );
  await runCommand(["cp", "-a", `${mounted}/.`, before], { timeoutMs: TIMEOUT_MS });
  await runCommand([program, "unmount", "-D", mounted], { timeoutMs: TIMEOUT_MS });
  await runCommand(["rm", "-rf", `${before}/.pbkfs`], { timeoutMs: TIMEOUT_MS });

  const report = new Report(["run", "plain"]);
  const times = { measured: new Times(), yardstick: new Times() };
  for (let round = 0; round < ROUNDS; round++) {
    await clear(place, before);
    await times.yardstick.measure(() => runPlain(place));
    await times.measured.measure(async () => void await run(...ASK));
  }
  addTimes(report, "run -- psql -c 'select 1'", times);
  report.add({
    name: `the same less ${ALLOWED_SECONDS} s`,
    unit: "s",
    mount: median(times.measured.wall) - ALLOWED_SECONDS,
    plain: median(times.yardstick.wall),
    target: "<= 1.5",
  });
  console.log(report.table());
}

/** A fresh copy, with nothing of the server before. */
async function clear(place: TempDirectory, before: string): Promise<void> {
  const [plain, socket] = [place.join("plain"), place.join("socket")];
  await runCommand(["rm", "-rf", plain, socket], { timeoutMs: TIMEOUT_MS });
  await runCommand(["cp", "-a", before, plain], { timeoutMs: TIMEOUT_MS });
}

/** A server on it is started, asked and stopped. */
async function runPlain(place: TempDirectory): Promise<void> {
  const dataDirectory = place.join("plain");
  const socketDirectory = place.join("socket");
  const user = { ...findUser(SERVER_USER)!, name: SERVER_USER };
  await Deno.mkdir(socketDirectory, { mode: 0o700 });
  await Deno.chown(socketDirectory, user.uid, user.gid);
  const hbaPath = place.join("hba");
  await Deno.writeTextFile(hbaPath, "local all all trust\n");
  const settings = safeSettings({
    ...{ major: 15, socketDirectory, port: PORT, hbaPath, clusterName: "bench" },
    ...{ isVolatile: true, readOnly: true, recovery: undefined, extra: {} },
  });
  const server = await PostgresServer.start({
    ...{ binaries: findServer("15"), dataDirectory, settings, user },
    ...{ timeoutMs: TIMEOUT_MS, signal: undefined },
  });
  const connection = ["-h", socketDirectory, "-p", `${PORT}`, "-U", SERVER_USER, "-d", "postgres"];
  await runCommand([...ASK, ...connection], { timeoutMs: TIMEOUT_MS });
  await server.stop("immediate");
}
