import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { loadKey } from "#src/cli/keys/key_loading.ts";
import { loadBackupKeys } from "#src/cli/keys/crypt.ts";
import type { KeyPlan } from "#src/cli/keys/key_choice.ts";
import { Output } from "#src/cli/output/output.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { sealKey, unsealKey } from "#src/pbs/crypt/master_key.ts";
import { parseKeyFile } from "#src/pbs/format/key_file.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { contextOf } from "./_context.ts";
import { mustPbs, pbs, pbsOnTerminal } from "./_pbs.ts";

const KEYS = fileURLToPath(new URL("../../fixtures/pbs/keys/", import.meta.url));
const PUBLIC = Deno.readTextFileSync(`${KEYS}master-public.pem`);
const PRIVATE = Deno.readTextFileSync(`${KEYS}master-private.pem`);

function seal(publicPem: string, keyPath: string): Uint8Array {
  const file = parseKeyFile(Deno.readTextFileSync(keyPath));
  const crypt = CryptConfig.fromKeyFile(file);
  return sealKey(publicPem, { crypt, created: file.created }, "2026-11-22T00:00:00+00:00");
}

Deno.test("loadBackupKeys() loads key and master key, and says which", async () => {
  const context = contextOf({ PBS_ENCRYPTION_PASSWORD: "goldkey-pass" });
  const plan: KeyPlan = {
    mode: "encrypt",
    key: { kind: "file", place: `${KEYS}key-scrypt.json` },
    masterKey: { kind: "file", place: `${KEYS}master-public.pem` },
  };
  const keys = await loadBackupKeys(plan, context, new Output({}, context));
  assert.equal(keys.mode, "encrypt");
  assert.match(keys.crypt!.fingerprint, /^86:61:4c:/);
  const kept = unsealKey(PRIVATE, "master-pass", keys.encryptedKey!);
  assert.deepEqual(kept.data, keys.crypt!.key);
  assert.equal(kept.created, "2026-11-21T02:18:05+00:00");
  assert.equal(kept.hint, undefined);
  assert.equal(
    context.printed.err,
    `Using encryption key from '${KEYS}key-scrypt.json'..\n` +
      `Using master key from '${KEYS}master-public.pem'..\n`,
  );
});

Deno.test("loadBackupKeys() loads nothing where no key is used, and tells programs nothing", async () => {
  const context = contextOf({ PBS_ENCRYPTION_PASSWORD: "goldkey-pass" });
  const output = new Output({ format: "json" }, context);
  const none: KeyPlan = { mode: "none", key: undefined, masterKey: undefined };
  assert.deepEqual(await loadBackupKeys(none, context, output), {
    mode: "none",
    crypt: undefined,
    encryptedKey: undefined,
  });
  const key = { kind: "default", place: `${KEYS}key-none.json` } as const;
  const keys = await loadBackupKeys({ ...none, mode: "sign-only", key }, context, output);
  assert.equal(keys.encryptedKey, undefined);
  assert.equal(context.printed.err, "");
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

  const sealed = seal(Deno.readTextFileSync(defaultPath), `${KEYS}key-none.json`);
  Deno.writeFileSync(directory.join("key.enc"), sealed);
  const args = ["key", "import-with-master-key", "key.json", "--kdf", "none"]
    .concat("--master-keyfile", "master-private.pem", "--encrypted-keyfile", "key.enc");
  const back = await pbsOnTerminal(args, [["Master Key Password: ", "master-secret\r"]], { cwd });
  assert.equal(back.code, 0, back.stdout);
  const file = parseKeyFile(Deno.readTextFileSync(directory.join("key.json")));
  const original = parseKeyFile(Deno.readTextFileSync(`${KEYS}key-none.json`));
  assert.deepEqual({ ...file, modified: original.modified }, original);

  const again = await pbs(["key", "create-master-key", "--password-file", "key.json"], { cwd });
  assert.equal(again.code, 1);
  assert.match(again.stderr, /EEXIST|File exists/);
});

Deno.test("pbs key import-with-master-key refuses a wrong password and makes nothing", async () => {
  using directory = new TempDirectory("master");
  Deno.writeFileSync(directory.join("key.enc"), seal(PUBLIC, `${KEYS}key-none.json`));
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
