import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { decryptRsa, encryptRsa } from "#src/codecs/rsa.ts";
import { loadKey } from "#src/cli/pbs/key_files.ts";
import { decryptWithMasterKey, encryptForMasterKey } from "#src/cli/pbs/master_keys.ts";
import { backupKeys } from "#src/cli/pbs/crypt.ts";
import { AuthError } from "#src/errors.ts";
import { parseKeyFile } from "#src/pbs/format/key_file.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { contextOf } from "./_context.ts";
import { mustPbs, pbs, pbsOnTerminal } from "./_pbs.ts";

const KEYS = fileURLToPath(new URL("../../fixtures/pbs/keys/", import.meta.url));
const PUBLIC = Deno.readTextFileSync(`${KEYS}master-public.pem`);
const PRIVATE = Deno.readTextFileSync(`${KEYS}master-private.pem`);

const LOCKED = contextOf({ PBS_ENCRYPTION_PASSWORD: "goldkey-pass" });

Deno.test("encryptForMasterKey() keeps the key as an unlocked key file", async () => {
  const key = await loadKey({ kind: "file", place: `${KEYS}key-scrypt.json` }, LOCKED);
  const text = new TextDecoder().decode(
    decryptRsa(PRIVATE, "master-pass", encryptForMasterKey(key, PUBLIC)),
  );
  assert.match(
    text,
    /^\{"kdf":null,"created":"2026-11-21T02:18:05\+00:00","modified":"[^"]+","data":"[^"]+","fingerprint":"86:61:[^"]+"\}$/,
  );
  assert.deepEqual(parseKeyFile(text).data, key.key);
});

Deno.test("decryptWithMasterKey() refuses what was encrypted for another key", async () => {
  const key = await loadKey({ kind: "file", place: `${KEYS}key-none.json` }, LOCKED);
  const content = encryptForMasterKey(key, PUBLIC);
  assert.deepEqual(decryptWithMasterKey(content, PRIVATE, "master-pass").data, key.key);
  const noKey = encryptRsa(PUBLIC, new TextEncoder().encode("no key file"));
  assert.throws(() => decryptWithMasterKey(noKey, PRIVATE, "master-pass"), AuthError);
  assert.throws(() => decryptWithMasterKey(content, PRIVATE, "wrong-pass"), AuthError);
});

Deno.test("backupKeys() loads key and master key, and says which", async () => {
  const keys = await backupKeys({
    keyfile: `${KEYS}key-scrypt.json`,
    masterPubkeyFile: `${KEYS}master-public.pem`,
  }, LOCKED);
  assert.equal(keys.mode, "encrypt");
  assert.match(keys.crypt!.fingerprint, /^86:61:4c:/);
  assert.equal(keys.encryptedKey!.length, 512);
  assert.deepEqual(keys.messages, [
    `Using encryption key from '${KEYS}key-scrypt.json'..`,
    `Using master key from '${KEYS}master-public.pem'..`,
  ]);
  const none = await backupKeys({ cryptMode: "none" }, LOCKED);
  assert.deepEqual(none, {
    mode: "none",
    crypt: undefined,
    encryptedKey: undefined,
    messages: [],
  });
});

Deno.test("loadKey() names the key when it cannot be unlocked", async () => {
  const context = contextOf({ PBS_ENCRYPTION_PASSWORD: "wrongpass" });
  const origin = { kind: "file", place: `${KEYS}key-scrypt.json` } as const;
  await assert.rejects(loadKey(origin, context), {
    message: "Unable to decrypt key (password hint: test hint)",
  });
  assert.equal(context.printed.err, `Using encryption key from '${KEYS}key-scrypt.json'..\n`);
});

Deno.test("pbs key create-master-key makes keys that get an encryption key back", async () => {
  using directory = new TempDirectory("master");
  const cwd = directory.path;
  const env = { XDG_CONFIG_HOME: directory.join("config") };
  const made = await pbsOnTerminal(["key", "create-master-key"], [
    ["Master Key Password: ", "master-secret\r"],
    ["Verify Password: ", "master-secret\r"],
  ], { cwd });
  assert.equal(made.code, 0, made.stdout);
  assert.equal(Deno.statSync(directory.join("master-private.pem")).mode! & 0o777, 0o600);
  const imported = await mustPbs(["key", "import-master-pubkey", "master-public.pem"], {
    cwd,
    env,
  });
  const defaultPath = directory.join("config/proxmox-backup/master-public.pem");
  assert.match(imported, /│ exponent │ 65537 +│/);
  assert.ok(imported.endsWith(`Imported public master key to "${defaultPath}"\n`));
  const shown = await mustPbs(["key", "show-master-pubkey", "--format", "json"], { env });
  assert.equal(JSON.parse(shown).length, 4096);
  assert.match(JSON.parse(shown).modulus, /^[0-9A-F]{1024}$/);

  const key = await loadKey({ kind: "file", place: `${KEYS}key-none.json` }, LOCKED);
  const content = encryptForMasterKey(key, Deno.readTextFileSync(defaultPath));
  Deno.writeFileSync(directory.join("key.enc"), content);
  const args = ["key", "import-with-master-key", "key.json", "--kdf", "none"]
    .concat("--master-keyfile", "master-private.pem", "--encrypted-keyfile", "key.enc");
  const back = await pbsOnTerminal(args, [["Master Key Password: ", "master-secret\r"]], { cwd });
  assert.equal(back.code, 0, back.stdout);
  const file = parseKeyFile(Deno.readTextFileSync(directory.join("key.json")));
  assert.deepEqual(file.data, key.key);
  assert.equal(file.created, key.file.created);
  assert.deepEqual(file.fingerprint, key.file.fingerprint);

  const again = await pbs(["key", "create-master-key", "--password-file", "key.json"], { cwd });
  assert.equal(again.code, 1);
  assert.match(again.stderr, /EEXIST|File exists/);
});

Deno.test("pbs key import-with-master-key refuses a wrong password and makes nothing", async () => {
  using directory = new TempDirectory("master");
  const key = await loadKey({ kind: "file", place: `${KEYS}key-none.json` }, LOCKED);
  Deno.writeFileSync(directory.join("key.enc"), encryptForMasterKey(key, PUBLIC));
  Deno.writeTextFileSync(directory.join("password"), "wrong-pass\n");
  const args = ["key", "import-with-master-key", "key.json", "--kdf", "none"]
    .concat("--master-keyfile", `${KEYS}master-private.pem`, "--encrypted-keyfile", "key.enc");
  const wrong = await pbs([...args, "--master-password-file", "password", "--format", "json"], {
    cwd: directory.path,
  });
  assert.equal(wrong.code, 1);
  assert.equal(JSON.parse(wrong.stderr).code, "passphrase");
  const nobody = await pbs(args, { cwd: directory.path });
  assert.equal(nobody.code, 2);
  assert.match(nobody.stderr, /--master-password-file/);
  assert.throws(() => Deno.statSync(directory.join("key.json")));
});

Deno.test("pbs key import-master-pubkey refuses what is no public key", async () => {
  const { code, stderr } = await pbs(["key", "import-master-pubkey", `${KEYS}key-none.json`]);
  assert.equal(code, 1);
  assert.match(stderr, /RSA public key/);
});
