import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { keyCrypto } from "#src/codecs/key_crypto.ts";
import { keyFingerprint, parseKeyFile, unlockKey } from "#src/pbs/format/key_file.ts";
import { PBS_KEYS } from "#tests/support/pbs_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { mustPbs, pbs, pbsOnTerminal } from "./_pbs.ts";

const KEYS = fileURLToPath(new URL("../../fixtures/pbs/keys/", import.meta.url));
const PASSWORD = "goldkey-pass";

function keyOf(path: string, password?: string): Uint8Array {
  const passphrase = password === undefined ? undefined : new TextEncoder().encode(password);
  return unlockKey(parseKeyFile(Deno.readTextFileSync(path)), passphrase, keyCrypto);
}

Deno.test("pbs key show prints what the real client prints", async () => {
  const table = await mustPbs(["key", "show", "key-scrypt.json"], { cwd: KEYS });
  assert.match(table, /^│ path {8}│ "key-scrypt.json" +│$/m);
  assert.match(table, /^│ created {5}│ Sat Nov 21 02:18:05 2026 +│$/m);
  assert.match(table, /^│ hint {8}│ test hint +│$/m);
  const json = await mustPbs(["key", "info", "key-scrypt.json", "--output-format", "json"], {
    cwd: KEYS,
  });
  assert.equal(
    json,
    '{"created":1795227485,"fingerprint":"86:61:4c:a2:9a:60:8b:c4:b7:bb:e1:14:f0:d8:f6:46:7c:bf:5b:98:b7:48:b4:2d:b5:0f:5f:db:1f:74:67:9c","hint":"test hint","kdf":"scrypt","modified":1795227485,"path":"\\"key-scrypt.json\\""}\n',
  );
});

Deno.test("pbs commands name the key file that is missing or none", async () => {
  using directory = new TempDirectory("keys");
  const path = directory.join("key");
  const missing = await pbs(["key", "show", path]);
  assert.equal(
    missing.stderr,
    `pbkfs error: Cannot open "${path}": ENOENT (no such file or directory)\n`,
  );
  Deno.writeTextFileSync(path, "no key");
  const given = ["catalog", "dump", "host/a", "--repository", directory.path, "--keyfile", path];
  Deno.mkdirSync(directory.join(".chunks"));
  Deno.mkdirSync(directory.join("host/a/2024-01-10T10:00:00Z"), { recursive: true });
  Deno.writeTextFileSync(directory.join("host/a/2024-01-10T10:00:00Z/index.json.blob"), "");
  for (const args of [["key", "show", path], ["key", "paperkey", path], given]) {
    const { code, stderr } = await pbs(args);
    assert.equal(code, 1);
    assert.ok(stderr.includes(`Cannot parse key file: it is not JSON ("${path}")`), stderr);
  }
});

Deno.test("pbs shows a password hint that cannot control the terminal", async () => {
  using directory = new TempDirectory("keys");
  const path = directory.join("key");
  const file = JSON.parse(Deno.readTextFileSync(`${KEYS}/key-pbkdf2.json`));
  Deno.writeTextFileSync(path, JSON.stringify({ ...file, hint: "\x1b[31mred" }));
  assert.match(await mustPbs(["key", "show", path]), /│ hint +│ \\u\{1b\}\[31mred/);
  const args = ["key", "change-passphrase", path, "--kdf", "none"];
  const { stderr } = await pbs(args, { env: { PBS_ENCRYPTION_PASSWORD: "another" } });
  assert.match(stderr, /\(password hint: \\u\{1b\}\[31mred\)/);
});

Deno.test("pbs key create makes the default key, and never replaces one", async () => {
  using directory = new TempDirectory("keys");
  const env = { XDG_CONFIG_HOME: directory.join("config") };
  const path = directory.join("config/proxmox-backup/encryption-key.json");
  const args = ["key", "create", "--kdf", "none"];
  assert.equal(await mustPbs(args, { env }), `creating default key at: "${path}"\n`);
  assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  const text = Deno.readTextFileSync(path);
  assert.match(text, /^\{"kdf":null,"created":"[^"]+\+00:00",[^\n]*\}$/);
  assert.deepEqual(keyFingerprint(keyOf(path), keyCrypto), parseKeyFile(text).fingerprint);
  const { code, stderr } = await pbs([...args, "--format", "json"], { env });
  assert.equal(code, 1);
  assert.equal(JSON.parse(stderr).code, "EEXIST");
  assert.equal(Deno.readTextFileSync(path), text);
});

Deno.test("pbs key import-master-pubkey leaves nothing behind when it cannot replace what is there", async () => {
  using directory = new TempDirectory("keys");
  const place = directory.join("config/proxmox-backup");
  Deno.mkdirSync(`${place}/master-public.pem`, { recursive: true });
  const { code, stderr } = await pbs(
    ["key", "import-master-pubkey", `${PBS_KEYS}/master-public.pem`, "--format", "json"],
    { env: { XDG_CONFIG_HOME: directory.join("config") } },
  );
  assert.equal(code, 1);
  assert.equal(JSON.parse(stderr).code, "EISDIR");
  assert.deepEqual([...Deno.readDirSync(place)].map(({ name }) => name), ["master-public.pem"]);
});

Deno.test("pbs key create refuses a hint without a password, and a password without a terminal", async () => {
  using directory = new TempDirectory("keys");
  const path = directory.join("key");
  const hint = await pbs(["key", "create", path, "--kdf", "none", "--hint", "x"]);
  assert.equal(hint.code, 2);
  assert.match(hint.stderr, /password hint not allowed for Kdf::None/);
  const env = { PBS_ENCRYPTION_PASSWORD: "not for new keys" };
  const noTerminal = await pbs(["key", "create", path], { env });
  assert.equal(noTerminal.code, 2);
  assert.match(noTerminal.stderr, /standard input is not a terminal/);
  assert.deepEqual([...Deno.readDirSync(directory.path)], []);
});

Deno.test("pbs key create asks twice for a password that is not shown", async () => {
  using directory = new TempDirectory("keys");
  const path = directory.join("key");
  const { code, stdout } = await pbsOnTerminal(["key", "create", path, "--hint", "the usual"], [
    ["Encryption Key Password: ", "sekrit-word\r"],
    ["Verify Password: ", "sekrit-wort\x7fd\r"],
  ]);
  assert.equal(code, 0, stdout);
  assert.doesNotMatch(stdout, /sekrit/);
  const file = parseKeyFile(Deno.readTextFileSync(path));
  assert.equal(file.derivation.kind, "scrypt");
  assert.equal(file.hint, "the usual");
  assert.equal(keyOf(path, "sekrit-word").length, 32);
});

Deno.test("pbs key create gives up when passwords differ, or Ctrl-C is pressed", async () => {
  using directory = new TempDirectory("keys");
  const path = directory.join("key");
  const different = await pbsOnTerminal(["key", "create", path], [
    ["Encryption Key Password: ", "one-password\r"],
    ["Verify Password: ", "another-password\r"],
  ]);
  assert.equal(different.code, 2);
  assert.match(different.stdout, /Passwords do not match!/);
  const short = await pbsOnTerminal(["key", "create", path], [
    ["Encryption Key Password: ", "abc\r"],
  ]);
  assert.equal(short.code, 2);
  const interrupted = await pbsOnTerminal(["key", "create", path], [
    ["Encryption Key Password: ", "abc\x03"],
  ]);
  assert.equal(interrupted.code, 1);
  assert.match(interrupted.stdout, /Interrupted/);
  assert.deepEqual([...Deno.readDirSync(directory.path)], []);
});

Deno.test("pbs key change-passphrase keeps key and time of creation", async () => {
  using directory = new TempDirectory("keys");
  const path = directory.join("key");
  const passwordFile = directory.join("password");
  Deno.copyFileSync(`${KEYS}key-scrypt.json`, path);
  Deno.writeTextFileSync(passwordFile, "another password\n");
  const before = keyOf(path, PASSWORD);
  const change = ["key", "change-passphrase", path];
  await mustPbs([...change, "--kdf", "pbkdf2", "--hint", "new", "--password-file", passwordFile], {
    env: { PBS_ENCRYPTION_PASSWORD: PASSWORD },
  });
  assert.deepEqual(keyOf(path, "another password"), before);
  const file = parseKeyFile(Deno.readTextFileSync(path));
  assert.equal(file.derivation.kind, "pbkdf2");
  assert.equal(file.created, "2026-11-21T02:18:05+00:00");
  assert.equal(file.hint, "new");
  assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  await mustPbs([...change, "--kdf", "none"], {
    env: { PBS_ENCRYPTION_PASSWORD_FILE: passwordFile },
  });
  assert.deepEqual(keyOf(path), before);
});

Deno.test("pbs key change-passphrase refuses a wrong password and changes nothing", async () => {
  using directory = new TempDirectory("keys");
  const path = directory.join("key");
  Deno.copyFileSync(`${KEYS}key-scrypt.json`, path);
  const text = Deno.readTextFileSync(path);
  for (
    const [password, message] of [
      ["wrongpass", /Unable to decrypt key \(password hint: test hint\)/],
      ["abc", /Passphrase is too short!/],
    ] as const
  ) {
    const { code, stderr } = await pbs(["key", "change-passphrase", path, "--kdf", "none"], {
      env: { PBS_ENCRYPTION_PASSWORD: password },
    });
    assert.equal(code, 1);
    assert.match(stderr, message);
  }
  const none = await pbs(["key", "change-passphrase", path, "--kdf", "none", "--format", "json"]);
  assert.equal(JSON.parse(none.stderr).code, "passphrase");
  assert.equal(Deno.readTextFileSync(path), text);
});

Deno.test("pbs key paperkey prints the key file between its lines", async () => {
  const args = ["key", "paperkey", `${KEYS}key-scrypt.json`];
  const { code, stdout, stderr } = await pbs([
    ...args,
    "--subject",
    "<db1>",
    "--output-format",
    "text",
  ]);
  if (code !== 0) {
    // Not everybody has qrencode; then it must say so.
    assert.match(stderr, /qrencode/);
    return;
  }
  const [, subject, text] =
    /^(.*)\n\n-----BEGIN PROXMOX BACKUP KEY-----\n(.*)\n-----END PROXMOX BACKUP KEY-----\n/s
      .exec(stdout)!;
  assert.equal(subject, "Subject: <db1>");
  const key = Deno.readTextFileSync(`${KEYS}key-scrypt.json`);
  assert.equal(text, JSON.stringify(JSON.parse(key), null, 2));
  assert.match(stdout, /█/);
  const page = await mustPbs([...args, "--subject", "<db1>"]);
  assert.match(page, /Subject: &#60;db1&#62;/);
  assert.match(page, /<img [^>]*src="data:image\/svg\+xml;base64,[A-Za-z0-9+/=]+"/);
});

Deno.test("pbs key paperkey without qrencode says what is missing", async () => {
  const { code, stderr } = await pbs(["key", "paperkey", `${KEYS}key-none.json`], {
    env: { PATH: "/nonexistent" },
  });
  assert.equal(code, 1);
  assert.match(stderr, /qrencode/);
});
