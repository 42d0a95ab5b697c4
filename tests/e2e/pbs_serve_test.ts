import { ok, strictEqual as equal } from "node:assert";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const PBKFS = Deno.env.get("PBKFS_BIN");

async function run(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const command = new Deno.Command(PBKFS!, {
    args: [...args],
    env,
    stdin: "null",
    stdout: "piped",
  });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(`${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

Deno.test({
  name: "pbs serve: the executable backs up to itself over TLS, and restores",
  ignore: PBKFS === undefined,
  async fn() {
    using directory = new TempDirectory("serve");
    const state = ["--state-dir", directory.join("state")];
    const password = directory.join("password");
    Deno.writeTextFileSync(password, "correct horse\n");
    Deno.mkdirSync(directory.join("data"));
    Deno.writeTextFileSync(directory.join("data", "a"), "hello");
    await run(["pbs", "datastore", "create", directory.join("store")]);
    await run(["pbs", "serve", "user", "add", "u@pbs", "--password-file", password, ...state]);
    await run(["pbs", "serve", "acl", "add", "/datastore/main", "u@pbs", "backup", ...state]);
    const store = `main=${directory.join("store")}`;
    const server = new Deno.Command(PBKFS!, {
      args: ["pbs", "serve", "--listen", "127.0.0.1:0", "--datastore", store, ...state],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const ends: Promise<void>[] = [];
    try {
      let text = "";
      const reader = server.stderr.pipeThrough(new TextDecoderStream()).getReader();
      while (!/fingerprint: \S+\n/.test(text)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`The server has ended: ${text}`);
        text += value;
      }
      // Whoever does not read in the end holds the server up.
      const rest = (async () => {
        while (!(await reader.read()).done);
      })();
      ends.push(rest);
      const [, address] = /listening on (\S+)/.exec(text)!;
      const [, fingerprint] = /fingerprint: (\S+)/.exec(text)!;
      const env = {
        PBS_REPOSITORY: `u@pbs@${address}:main`,
        PBS_PASSWORD: "correct horse",
        PBS_FINGERPRINT: fingerprint!,
        XDG_RUNTIME_DIR: directory.path,
        XDG_CONFIG_HOME: directory.join("config"),
        XDG_CACHE_HOME: directory.join("cache"),
      };
      const data = directory.join("data");
      await run(["pbs", "backup", `root.pxar:${data}`, "--backup-id", "e2e"], env);
      const listed = JSON.parse(await run(["pbs", "snapshots", "--format", "json"], env));
      equal(listed.length, 1);
      equal(listed[0].owner, "u@pbs");
      await run(["pbs", "restore", "host/e2e", "root.pxar", directory.join("out")], env);
      equal(Deno.readTextFileSync(directory.join("out", "a")), "hello");
    } finally {
      server.kill("SIGTERM");
      const { code } = await server.status;
      await Promise.all(ends);
      ok(code === 0, `ended with ${code}`);
    }
  },
});

/** What an unread pipe holds, and more. */
const REQUESTS_MAX = 400;

Deno.test({
  name: "pbs serve: who does not read its output, or reads no more, does not hold it up",
  ignore: PBKFS === undefined,
  async fn() {
    using directory = new TempDirectory("serve-unread");
    await run(["pbs", "datastore", "create", directory.join("store")]);
    const state = directory.join("state");
    // Who has said nothing of himself would be answered late.
    const password = directory.join("password");
    Deno.writeTextFileSync(password, "correct horse\n");
    const change = ["--state-dir", state, "--format", "json"];
    await run(["pbs", "serve", "user", "add", "u@pbs", "--password-file", password, ...change]);
    const added = await run(["pbs", "serve", "token", "add", "u@pbs!t", ...change]);
    const authorization = `PBSAPIToken=u@pbs!t:${JSON.parse(added).secret}`;
    const server = new Deno.Command(PBKFS!, {
      args: [
        ...["pbs", "serve", "--listen", "127.0.0.1:0", "--state-dir", state],
        ...["--datastore", `main=${directory.join("store")}`],
      ],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const reader = server.stderr.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!/fingerprint: \S+\n/.test(text)) text += (await reader.read()).value ?? "";
    await reader.cancel();
    const [, port] = /listening on \S+:(\d+)/.exec(text)!;
    const pem = Deno.readTextFileSync(`${state}/certificate.pem`);
    const caCerts = [pem.slice(0, pem.indexOf("-----BEGIN", 1))];
    using client = Deno.createHttpClient({ caCerts });
    for (let count = 0; count < REQUESTS_MAX; count++) {
      const reply = await fetch(`https://localhost:${port}/${"x".repeat(200)}`, {
        client,
        headers: { authorization, "user-agent": "y".repeat(200) },
        signal: AbortSignal.timeout(60_000),
      });
      await reply.body?.cancel();
    }
    // The first line after lost ones says how many there were.
    const lines = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let log = "";
    while (!log.includes('"lost"')) {
      const { value, done } = await lines.read();
      if (done) throw new Error("The server has ended");
      log += value;
      const reply = await fetch(`https://localhost:${port}/`, {
        client,
        headers: { authorization },
      });
      await reply.body?.cancel();
    }
    server.kill("SIGTERM");
    const { code } = await server.status;
    await lines.cancel();
    equal(code, 0);
  },
});
