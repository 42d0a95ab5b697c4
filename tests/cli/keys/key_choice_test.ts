import assert from "node:assert/strict";
import { UsageError } from "#src/errors.ts";
import {
  type BackupKeyOptions,
  describeOrigin,
  type KeyPlan,
  planBackupKeys,
  planReadKey,
} from "#src/cli/keys/key_choice.ts";

const NO_DEFAULTS = { key: undefined, masterKey: undefined };
const DEFAULT_KEY = { key: "/d", masterKey: undefined };
const DEFAULTS = { key: "/d", masterKey: "/m" };
const NOTHING: KeyPlan = { mode: "none", key: undefined, masterKey: undefined };

Deno.test("planBackupKeys() without options uses the default key, if there is one", () => {
  assert.deepEqual(planBackupKeys({}, NO_DEFAULTS), NOTHING);
  assert.deepEqual(planBackupKeys({}, { key: undefined, masterKey: "/m" }), NOTHING);
  assert.deepEqual(planBackupKeys({}, DEFAULT_KEY), {
    mode: "encrypt",
    key: { kind: "default", place: "/d" },
    masterKey: undefined,
  });
  assert.deepEqual(planBackupKeys({}, DEFAULTS), {
    mode: "encrypt",
    key: { kind: "default", place: "/d" },
    masterKey: { kind: "default", place: "/m" },
  });
});

Deno.test("planBackupKeys() prefers given keys to default ones", () => {
  assert.deepEqual(planBackupKeys({ keyfile: "k", masterPubkeyFile: "p" }, DEFAULTS), {
    mode: "encrypt",
    key: { kind: "file", place: "k" },
    masterKey: { kind: "file", place: "p" },
  });
  assert.deepEqual(planBackupKeys({ keyfd: "3", masterPubkeyFd: "4" }, NO_DEFAULTS), {
    mode: "encrypt",
    key: { kind: "descriptor", place: "3" },
    masterKey: { kind: "descriptor", place: "4" },
  });
});

Deno.test("planBackupKeys() uses no key at all in mode none", () => {
  assert.deepEqual(planBackupKeys({ cryptMode: "none" }, DEFAULTS), NOTHING);
});

for (const cryptMode of ["encrypt", "sign-only"] as const) {
  Deno.test(`planBackupKeys() needs a key in mode ${cryptMode}`, () => {
    assert.equal(planBackupKeys({ cryptMode }, DEFAULT_KEY).key?.place, "/d");
    assert.equal(planBackupKeys({ cryptMode, keyfile: "k" }, DEFAULTS).mode, cryptMode);
    assert.throws(() => planBackupKeys({ cryptMode }, NO_DEFAULTS), {
      message: "--crypt-mode without --keyfile and no default key file available",
    });
  });
}

const REFUSED: readonly [string, BackupKeyOptions, RegExp][] = [
  [
    "a key in mode none",
    { cryptMode: "none", keyfile: "k" },
    /--keyfile\/--keyfd and --crypt-mode=none/,
  ],
  ["a descriptor in mode none", { cryptMode: "none", keyfd: "3" }, /mutually exclusive/],
  [
    "a master key in mode none",
    { cryptMode: "none", masterPubkeyFile: "p" },
    /--master-pubkey-file/,
  ],
  ["a master key without a key", { masterPubkeyFile: "p" }, /no key/],
  ["a file and a descriptor", { keyfile: "k", keyfd: "3" }, /mutually exclusive/],
  ["two master keys", { keyfile: "k", masterPubkeyFile: "p", masterPubkeyFd: "3" }, /exclusive/],
];

for (const [name, options, message] of REFUSED) {
  Deno.test(`planBackupKeys() refuses ${name}`, () => {
    assert.throws(() => planBackupKeys(options, NO_DEFAULTS), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("planReadKey() takes the given or the default key", () => {
  assert.equal(planReadKey({}, NO_DEFAULTS), undefined);
  assert.deepEqual(planReadKey({}, DEFAULTS), { kind: "default", place: "/d" });
  assert.deepEqual(planReadKey({ keyfile: "k" }, DEFAULTS), { kind: "file", place: "k" });
});

Deno.test("describeOrigin() says it as the real client", () => {
  assert.equal(
    describeOrigin({ kind: "file", place: "keys/key.json" }, "encryption"),
    "Using encryption key from 'keys/key.json'..",
  );
  assert.equal(
    describeOrigin({ kind: "default", place: "/d" }, "master"),
    "Using default master key..",
  );
  assert.equal(
    describeOrigin({ kind: "descriptor", place: "3" }, "encryption"),
    "Using encryption key from file descriptor..",
  );
});
