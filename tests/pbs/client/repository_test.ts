import assert from "node:assert/strict";
import { UsageError } from "#src/errors.ts";
import {
  formatRepository,
  parseRepository,
  type ServerRepository,
} from "#src/pbs/client/repository.ts";

function server(parts: Partial<ServerRepository>): ServerRepository {
  return {
    kind: "server",
    user: "root@pam",
    token: undefined,
    host: "localhost",
    port: 8007,
    store: "main",
    ...parts,
  };
}

const SERVERS: readonly [string, Partial<ServerRepository>][] = [
  ["main", {}],
  ["backup.example.com:main", { host: "backup.example.com" }],
  ["10.0.0.1:8008:main", { host: "10.0.0.1", port: 8008 }],
  ["[fe80::1%eth0]:main", { host: "fe80::1%eth0" }],
  ["[::1]:1:main", { host: "::1", port: 1 }],
  ["tester@pbs@h:main", { user: "tester@pbs", host: "h" }],
  ["tester@pbs!tok1@h:8007:main", { user: "tester@pbs", token: "tok1", host: "h" }],
  ["a@b.c@pbs@h:main", { user: "a@b.c@pbs", host: "h" }],
];

for (const [text, parts] of SERVERS) {
  Deno.test(`parseRepository() reads "${text}"`, () => {
    assert.deepEqual(parseRepository(text), server(parts));
  });
}

Deno.test("parseRepository() reads local directories", () => {
  assert.deepEqual(parseRepository("dir:/srv/store"), { kind: "directory", path: "/srv/store" });
  assert.deepEqual(parseRepository("/srv/a b/"), { kind: "directory", path: "/srv/a b" });
  const { path } = parseRepository("dir:here") as { path: string };
  assert.equal(path, `${Deno.cwd()}/here`);
});

for (
  const text of ["a b", "dir:", "h:0:main", "h:65536:main", "user@h:main", ":main", "h:", "x/y"]
) {
  Deno.test(`parseRepository() refuses "${text}"`, () => {
    assert.throws(() => parseRepository(text), UsageError);
  });
}

Deno.test("formatRepository() writes what parseRepository() reads", () => {
  for (const [text] of SERVERS) {
    const repository = parseRepository(text);
    assert.deepEqual(parseRepository(formatRepository(repository)), repository);
  }
  assert.equal(
    formatRepository(parseRepository("tester@pbs@127.0.0.1:main")),
    "tester@pbs@127.0.0.1:8007:main",
  );
  assert.equal(formatRepository(parseRepository("/srv/store")), "dir:/srv/store");
});
