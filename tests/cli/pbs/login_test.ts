/** Commands that only talk to a server, as a user runs them, with a server in another process. */

import { deepEqual, equal, match } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { connectProxy } from "#tests/support/connect_proxy.ts";
import { denoRunCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { runProgram } from "../_program.ts";

const PEER = fileURLToPath(new URL("./_rest_peer.ts", import.meta.url));
const PERMISSIONS = [
  "--allow-ffi",
  "--allow-read",
  "--allow-write",
  "--allow-run",
  "--allow-env",
  "--allow-net",
  "--unstable-worker-options",
];
const UPID = "UPID:vm:00000188:0002A677:000000D9:6B00FF7C:garbage_collection:main:tester@pbs:";

/** A server, and somebody's surroundings. */
interface Scene {
  readonly port: number;
  readonly fingerprint: string;
  /** File with the server's certificate. */
  readonly certificate: string;
  readonly directory: TempDirectory;
  /** Lines of what the server was asked. */
  readonly asked: string[];
  run(
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): Promise<{ code: number; stdout: string; stderr: string }>;
}

async function scene(use: (scene: Scene) => Promise<void>): Promise<void> {
  using directory = new TempDirectory("login");
  const certificate = directory.join("certificate.pem");
  const [program, ...args] = denoRunCommand(["-A"], PEER, [certificate]);
  const peer = new Deno.Command(program!, { args, stdout: "piped", stderr: "inherit" }).spawn();
  const asked: string[] = [];
  const lines = peer.stdout.pipeThrough(new TextDecoderStream());
  let begun!: (line: string) => void;
  const first = new Promise<string>((resolve) => begun = resolve);
  const reading = (async () => {
    let rest = "";
    let isFirst = true;
    for await (const text of lines) {
      const parts = (rest + text).split("\n");
      rest = parts.pop()!;
      for (const line of parts) {
        if (isFirst) begun(line);
        else asked.push(line);
        isFirst = false;
      }
    }
  })();
  try {
    const [port, fingerprint] = (await first).split(" ");
    for (const name of ["run", "config"]) Deno.mkdirSync(directory.join(name));
    const surroundings = {
      XDG_RUNTIME_DIR: directory.join("run"),
      XDG_CONFIG_HOME: directory.join("config"),
      PBS_REPOSITORY: `tester@pbs@127.0.0.1:${port}:main`,
      PBS_FINGERPRINT: fingerprint!,
    };
    await use({
      port: Number(port),
      fingerprint: fingerprint!,
      certificate,
      directory,
      asked,
      run: (args, env = {}) =>
        runProgram(["pbs", ...args], {
          permissions: PERMISSIONS,
          env: { ...surroundings, ...env },
        }),
    });
  } finally {
    peer.kill("SIGKILL");
    await peer.status;
    await reading;
  }
}

Deno.test("version: with a password from everywhere it may come from", async () => {
  await scene(async ({ run, directory, port }) => {
    const file = directory.join("password");
    Deno.writeTextFileSync(file, "secret\nmore\n");
    const token = `tester@pbs!tok@127.0.0.1:${port}:main`;
    for (
      const env of [
        { PBS_PASSWORD: "secret" },
        { PBS_PASSWORD_FILE: file },
        { PBS_PASSWORD_CMD: `head -c 6 ${file}` },
        { PBS_PASSWORD: "token-secret", PBS_REPOSITORY: token },
      ]
    ) {
      const shown = await run(["version"], env);
      match(
        shown.stdout,
        /^client version: \d+\.\d+\.\d+\nserver version: 3\.2\.4\n$/u,
        shown.stderr,
      );
      equal(shown.code, 0);
    }
    const json = await run(["version", "--format", "json"], { PBS_PASSWORD: "secret" });
    deepEqual(JSON.parse(json.stdout).server, { version: "3.2", release: "4", repoid: "abc" });
  });
});

Deno.test("login keeps a ticket that later runs need no password for, and logout removes it", async () => {
  await scene(async ({ run, directory, asked }) => {
    const without = await run(["version"]);
    match(without.stderr, /no password input mechanism available/u);
    equal(without.code, 1);
    const login = await run(["login"], { PBS_PASSWORD: "secret" });
    deepEqual([login.code, login.stdout, login.stderr], [0, "", ""]);
    const tickets = directory.join("run/proxmox-backup/tickets");
    equal(Deno.statSync(tickets).mode! & 0o777, 0o600);
    match(
      Deno.readTextFileSync(tickets),
      /\{"127\.0\.0\.1":\{"tester@pbs":\{"timestamp":\d+,"ticket":"PBS:/u,
    );
    equal((await run(["version"])).code, 0);
    equal((await run(["logout"])).code, 0);
    equal((await run(["version"])).code, 1);
    const wrong = await run(["login"], { PBS_PASSWORD: "wrong" });
    equal(wrong.code, 1);
    match(
      wrong.stderr,
      /Cannot log in to 127\.0\.0\.1:\d+ as tester@pbs: permission check failed/u,
    );
    equal(wrong.stderr.includes("wrong"), false);
    const homeless = await run(["login"], { PBS_PASSWORD: "secret", XDG_RUNTIME_DIR: "" });
    match(homeless.stderr, /XDG_RUNTIME_DIR is not set/u);
    const token = await run(["login"], { PBS_REPOSITORY: "a@pbs!t@127.0.0.1:x1" });
    equal(token.code, 2);
    equal(asked.filter((line) => line === "GET /api2/json/version").length, 1);
  });
});

Deno.test("A server that nobody vouches for is refused; known fingerprints and authorities do", async () => {
  await scene(async ({ run, directory, fingerprint, certificate, asked, port }) => {
    const env = { PBS_PASSWORD: "secret" };
    const pinned = await run(["version", "--fingerprint", fingerprint.toUpperCase()], {
      ...env,
      PBS_FINGERPRINT: "",
    });
    equal(pinned.code, 0, pinned.stderr);
    asked.length = 0;
    const unknown = await run(["version"], { ...env, PBS_FINGERPRINT: "" });
    equal(unknown.code, 1);
    match(
      unknown.stderr,
      /certificate validation failed - Certificate fingerprint was not confirmed/u,
    );
    match(unknown.stderr, new RegExp(`fingerprint: ${fingerprint}`, "u"));
    const other = "00:".repeat(31) + "00";
    const wrong = await run(["version"], { ...env, PBS_FINGERPRINT: other });
    equal(wrong.code, 1);
    match(wrong.stderr, /is not the expected one/u);
    const malformed = await run(["version", "--fingerprint", "00:11"], env);
    equal(malformed.code, 2);
    // Not a byte has reached it.
    deepEqual(asked, []);

    const authority = await run(["version"], {
      ...env,
      PBS_FINGERPRINT: "",
      SSL_CERT_FILE: certificate,
    });
    equal(authority.code, 0, authority.stderr);
    Deno.mkdirSync(directory.join("config/proxmox-backup"));
    Deno.writeTextFileSync(
      directory.join("config/proxmox-backup/fingerprints"),
      `127.0.0.1 ${fingerprint}\n`,
    );
    const known = await run(["version"], { ...env, PBS_FINGERPRINT: "" });
    equal(known.code, 0, known.stderr);
    await connectProxy({}, async (proxy) => {
      const through = await run(["version"], {
        ...env,
        ALL_PROXY: `http://127.0.0.1:${proxy.port}`,
      });
      equal(through.code, 0, through.stderr);
      match(proxy.heads[0]!, new RegExp(`^CONNECT 127\\.0\\.0\\.1:${port} `, "u"));
    });
  });
});

Deno.test("task: list, log to its end, stop", async () => {
  await scene(async ({ run, asked }) => {
    const env = { PBS_PASSWORD: "secret" };
    const running = await run(["task", "list"], env);
    match(running.stdout, /2026-11-21T\d\d:\d\d:\d\dZ .* UPID:vm:.* running /u, running.stderr);
    const all = await run(["task", "list", "--all", "--limit", "7", "--format", "json"], env);
    equal(JSON.parse(all.stdout)[1].status, "OK");
    equal(
      asked.some((line) => line.includes("/tasks?limit=7&running=false&store=main")),
      true,
      asked.join("\n"),
    );
    const log = await run(["task", "log", UPID], env);
    match(log.stdout, /^starting garbage collection\nfound .*red\nTASK OK\n$/u, log.stderr);
    equal(log.stdout.includes("\u001b"), false);
    equal(log.code, 0);
    equal((await run(["task", "stop", UPID], env)).code, 0);
    equal(asked.at(-1), `DELETE /api2/json/nodes/localhost/tasks/${encodeURIComponent(UPID)}`);
    const nonsense = await run(["task", "log", "../../version"], env);
    equal(nonsense.code, 1);
  });
});

Deno.test("benchmark: uploads over a session that the server keeps nothing of", async () => {
  await scene(async ({ run, asked }) => {
    const shown = await run(["benchmark", "--rate", "8MiB"], { PBS_PASSWORD: "secret" });
    match(
      shown.stdout,
      /TLS \(maximal backup upload speed\) │ \d+\.\d\d MB\/s \(\d+%\) /u,
      shown.stderr,
    );
    match(shown.stdout, /AES256 GCM encryption speed .* MB\/s/u);
    match(
      shown.stderr,
      /^Uploaded \d+ chunks in \d+ seconds\.\nTime per request: \d+ microseconds\.\n$/u,
    );
    match(
      asked.at(-1)!,
      /^GET \/api2\/json\/backup\?backup-id=benchmark&backup-time=\d+&backup-type=host&benchmark=true&store=main$/u,
    );
  });
});

Deno.test("A repository on this machine is no server, and one that is away is named", async () => {
  await scene(async ({ run }) => {
    equal((await run(["version", "--repository", "dir:/srv/store"])).code, 2);
    const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = probe.addr as Deno.NetAddr;
    probe.close();
    const away = await run(["version", "--repository", `127.0.0.1:${port}:main`], {
      PBS_PASSWORD: "secret",
    });
    equal(away.code, 1);
    match(away.stderr, new RegExp(`127\\.0\\.0\\.1:${port}`, "u"));
  });
});
