/**
 * Passwords for new keys, typed at a terminal: a pseudo-terminal here.
 */

import assert from "node:assert/strict";
import { keyCrypto } from "#src/codecs/key_crypto.ts";
import { parseKeyFile, unlockKey } from "#src/pbs/format/key_file.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { ALL_PERMISSIONS, pxar } from "./_pxar.ts";
import { MAIN_MODULE } from "./_program.ts";

const TIMEOUT_MS = 30_000;

/**
 * Runs a command on a terminal and types a line after each question; prints what the terminal
 * showed and ends as the command did.
 */
const ON_TERMINAL = String.raw`
import os, pty, sys
lines, command = sys.argv[1].split(","), sys.argv[2:]
pid, fd = pty.fork()
if pid == 0: os.execvp(command[0], command)
shown, asked = b"", 0
while True:
    try: data = os.read(fd, 1024)
    except OSError: break
    if not data: break
    shown += data
    if shown.count(b"Password: ") > asked and asked < len(lines):
        os.write(fd, lines[asked].encode() + b"\r")
        asked += 1
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

async function keygen(typed: readonly string[], args: readonly string[]) {
  const program = denoRunCommand(ALL_PERMISSIONS, MAIN_MODULE, ["pxar", "keygen", ...args]);
  const command = ["python3", "-c", ON_TERMINAL, typed.join(","), ...program];
  return await runCommand(command, { timeoutMs: TIMEOUT_MS, check: false });
}

Deno.test("pbkfs pxar keygen asks twice for the password and does not show it", async () => {
  using home = new TempDirectory("keygen");
  const path = home.join("key");
  const { code, stdout } = await keygen(["geheim", "geheim"], [path, "--kdf", "pbkdf2"]);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /Encryption Key Password: \s*Verify Password: \s*$/);
  const file = parseKeyFile(Deno.readTextFileSync(path));
  assert.equal(unlockKey(file, new TextEncoder().encode("geheim"), keyCrypto).length, 32);
});

Deno.test("pbkfs pxar keygen locks the key with the password of the environment", async () => {
  using home = new TempDirectory("keygen");
  const password = home.join("password");
  Deno.writeTextFileSync(password, "geheim\nmore\n");
  const permissions = [...ALL_PERMISSIONS, "--allow-run", "--allow-env"];
  const run = (name: string, env: Readonly<Record<string, string>>, ...args: string[]) => {
    const words = ["pxar", "keygen", home.join(name), ...args];
    const command = denoRunCommand(permissions, MAIN_MODULE, words);
    return runCommand(command, { timeoutMs: TIMEOUT_MS, check: false, env });
  };
  const make = async (...args: Parameters<typeof run>) => {
    const { code, stderr } = await run(...args);
    assert.equal(code, 0, stderr);
    return parseKeyFile(Deno.readTextFileSync(home.join(args[0])));
  };
  const variables: readonly Readonly<Record<string, string>>[] = [
    { PBS_ENCRYPTION_PASSWORD: "geheim" },
    { PBS_ENCRYPTION_PASSWORD_FILE: password },
    { PBS_ENCRYPTION_PASSWORD_CMD: "echo geheim" },
  ];
  for (const [index, env] of variables.entries()) {
    const file = await make(`key${index}`, env);
    assert.equal(file.derivation.kind, "scrypt");
    assert.equal(unlockKey(file, new TextEncoder().encode("geheim"), keyCrypto).length, 32);
  }
  const env = { PBS_ENCRYPTION_PASSWORD: "geheim" };
  assert.equal((await make("plain", env, "--kdf", "none")).derivation.kind, "none");
  const short = await run("x", { PBS_ENCRYPTION_PASSWORD: "abc" });
  assert.equal(short.code, 2);
  assert.throws(() => Deno.statSync(home.join("x")), Deno.errors.NotFound);
});

Deno.test("pbkfs pxar keygen makes no key when the passwords differ or are too short", async () => {
  using home = new TempDirectory("keygen");
  const path = home.join("key");
  for (const [typed, message] of [[["geheim", "gehein"], /do not match/], [["abc"], /too short/]]) {
    const { code, stdout } = await keygen(typed as string[], [path, "--kdf", "scrypt"]);
    assert.equal(code, 2, stdout);
    assert.match(stdout, message as RegExp);
  }
  assert.deepEqual([...Deno.readDirSync(home.path)], []);
});

Deno.test("pbkfs pxar keygen --dry-run writes nothing", async () => {
  using home = new TempDirectory("keygen");
  const typed = ["geheim", "geheim"];
  const args = [home.join("key"), "--kdf", "pbkdf2", "--dry-run"];
  assert.equal((await keygen(typed, args)).code, 0);
  assert.deepEqual([...Deno.readDirSync(home.path)], []);
});

Deno.test("pbkfs pxar keygen asks for nothing without --kdf", async () => {
  using home = new TempDirectory("keygen");
  const { code, stdout } = await keygen([], [home.join("key")]);
  assert.equal(code, 0, stdout);
  assert.equal(stdout, "");
});

Deno.test("pbkfs pxar keygen never replaces a file", async () => {
  using home = new TempDirectory("keygen");
  const path = home.join("key");
  Deno.writeTextFileSync(path, "a key");
  const { code, stderr } = await pxar(["keygen", path, "--format", "json"], ALL_PERMISSIONS);
  assert.deepEqual([code, JSON.parse(stderr).code], [1, "EEXIST"]);
  assert.equal(Deno.readTextFileSync(path), "a key");
});
