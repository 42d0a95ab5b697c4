import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { asServerUser } from "#tests/support/postgres.ts";
import { type CommandResult, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const SCRIPTS = fileURLToPath(new URL("../../scripts/", import.meta.url));

/** A version that is nowhere installed. */
const VERSION = "0.0.1";
const RUNTIME = `#!/bin/sh\necho 'deno ${VERSION}'\n`;

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}

/**
 * A checkout that asks for the version of {@link RUNTIME}, on a machine with other programs than
 * this one.
 */
class Machine {
  readonly #directory = new TempDirectory("setup");
  /** Home of an ordinary user. */
  readonly home = this.#directory.join("home");

  /**
   * @param programs by name: scripts that stand in for them; undefined for what is not installed
   */
  static async make(programs: Readonly<Record<string, string | undefined>>): Promise<Machine> {
    const machine = new Machine();
    machine.#install(programs);
    const digest = await sha256(RUNTIME);
    machine.#checkOut("environment", /(PBKFS_DENO_VERSION)=.*/g, `$1=${VERSION}`);
    machine.#checkOut("setup", /(DENO_\w+_SHA256)=.*/g, `$1=${digest}`);
    machine.#checkOut("build", /$^/, "");
    return machine;
  }

  #install(programs: Readonly<Record<string, string | undefined>>): void {
    const bin = this.#directory.join("bin");
    Deno.mkdirSync(bin);
    Deno.mkdirSync(this.home);
    Deno.chmodSync(this.home, 0o777);
    const names = new Map<string, string>();
    for (const place of ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]) {
      for (const { name } of Deno.readDirSync(place)) names.set(name, join(place, name));
    }
    for (const [name, target] of names) {
      if (!(name in programs)) Deno.symlinkSync(target, join(bin, name));
    }
    for (const [name, script] of Object.entries(programs)) {
      if (script === undefined) continue;
      Deno.writeTextFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
      Deno.chmodSync(join(bin, name), 0o755);
    }
  }

  #checkOut(name: string, pattern: RegExp, replacement: string): void {
    const text = Deno.readTextFileSync(join(SCRIPTS, name)).replaceAll(
      new RegExp(pattern, "gm"),
      replacement,
    );
    Deno.mkdirSync(this.#directory.join("checkout/scripts"), { recursive: true });
    Deno.writeTextFileSync(this.#directory.join("checkout/scripts", name), text);
  }

  /** Runs a command line in the checkout as an ordinary user. */
  async run(line: string): Promise<CommandResult> {
    const { home } = this;
    const environment = [`PATH=${this.#directory.join("bin")}`, `HOME=${home}`, `TMPDIR=${home}`];
    return await runCommand(asServerUser(["env", "-i", ...environment, "sh", "-c", line]), {
      cwd: this.#directory.join("checkout"),
      timeoutMs: 60_000,
      check: false,
    });
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}

/** An npm that packs `runtime` when Deno for this machine is asked for, and knows nothing else. */
function npmOf(runtime: string): string {
  return `case "$3" in @deno/linux-*-glibc@${VERSION}) ;; *) exit 1 ;; esac
mkdir package
cat >package/deno <<'END'
${runtime.trimEnd()}
END
tar -czf deno.tgz package
rm -r package`;
}

/** A pip that gives the runtime as a wheel has it, and tells what it was asked. */
const PIP = `case "$*" in
  '-m pip --version') ;;
  '-m pip download '*" deno==${VERSION}")
    echo "$PIP_CERT" >"$HOME/certificates"
    mkdir deno.data
    cat >deno.data/deno <<'END'
${RUNTIME.trimEnd()}
END
    python3 -c 'import zipfile; zipfile.ZipFile("deno.whl", "w").write("deno.data/deno")'
    rm -r deno.data ;;
  *) exec /usr/bin/env PATH=/usr/local/bin:/usr/bin:/bin python3 "$@" ;;
esac`;

Deno.test("scripts/setup installs Deno by npm where it is there, for an ordinary user below his home", async () => {
  using machine = await Machine.make({ deno: undefined, npm: npmOf(RUNTIME) });
  const { code, stderr } = await machine.run("sh scripts/setup");
  assert.equal(code, 0, stderr);
  assert.equal(stderr, `setup: installing Deno ${VERSION}\n`);
  const place = `${machine.home}/.local/lib/deno-${VERSION}`;
  assert.deepEqual([...Deno.readDirSync(place)].map(({ name }) => name), ["deno"]);
  assert.equal(Deno.readLinkSync(`${machine.home}/.local/bin/deno`), `${place}/deno`);
  // A second time there is nothing to do, and nothing is said.
  const again = await machine.run("sh scripts/setup && . scripts/environment && deno_version");
  assert.deepEqual([again.code, again.stdout, again.stderr], [0, `${VERSION}\n`, ""]);
});

Deno.test("scripts/setup installs Deno by pip where there is no npm, and trusts the system's certificates", async () => {
  using machine = await Machine.make({ deno: undefined, npm: undefined, python3: PIP });
  const { code, stderr } = await machine.run("sh scripts/setup");
  assert.equal(code, 0, stderr);
  assert.equal(
    Deno.readTextFileSync(`${machine.home}/certificates`),
    "/etc/ssl/certs/ca-certificates.crt\n",
  );
  assert.ok(Deno.statSync(`${machine.home}/.local/lib/deno-${VERSION}/deno`).isFile);
});

Deno.test("scripts/setup does not keep a download that is not the pinned Deno", async () => {
  using machine = await Machine.make({ deno: undefined, npm: npmOf("#!/bin/sh\necho other") });
  const { code, stderr } = await machine.run("sh scripts/setup");
  assert.equal(code, 1);
  assert.match(stderr, /not the file that it should be/);
  assert.deepEqual([...Deno.readDirSync(`${machine.home}/.local/lib/deno-${VERSION}`)], []);
  assert.deepEqual([...Deno.readDirSync(`${machine.home}/.local/bin`)], []);
});

Deno.test("scripts/setup leaves another Deno as it is", async () => {
  const programs = { deno: "echo 'deno 9.9.9'", npm: npmOf(RUNTIME) };
  using machine = await Machine.make(programs);
  assert.equal((await machine.run("sh scripts/setup")).code, 0);
  assert.deepEqual([...Deno.readDirSync(`${machine.home}/.local/bin`)], []);
});

Deno.test("scripts/setup asks for pip, not for npm, where neither is there", async () => {
  const python3 = 'case "$*" in "-m pip"*) exit 1 ;; *) exec /usr/bin/python3 "$@" ;; esac';
  using machine = await Machine.make({ deno: undefined, npm: undefined, python3 });
  const { code, stderr } = await machine.run("sh scripts/setup");
  assert.equal(code, 1);
  assert.match(stderr, /as root: apt-get install --no-install-recommends .*\bpython3-pip$/m);
  assert.doesNotMatch(stderr, /npm|nodejs/);
});

Deno.test("scripts/environment makes Deno trust the system's certificates, unless told otherwise", async () => {
  using machine = await Machine.make({});
  const line = ". scripts/environment && env | grep DENO_TLS_CA_STORE";
  const usual = await machine.run(line);
  assert.equal(usual.stdout, "DENO_TLS_CA_STORE=system,mozilla\n");
  const told = await machine.run(`DENO_TLS_CA_STORE=mozilla; export DENO_TLS_CA_STORE; ${line}`);
  assert.equal(told.stdout, "DENO_TLS_CA_STORE=mozilla\n");
});

Deno.test("scripts/build names scripts/setup where there is no Deno", async () => {
  using machine = await Machine.make({ deno: undefined });
  const { code, stderr } = await machine.run("sh scripts/build");
  assert.equal(code, 1);
  assert.match(stderr, /Deno is missing: run 'bash scripts\/setup' first/);
});
