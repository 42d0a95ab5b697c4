import assert from "node:assert/strict";
import { Datastore } from "#src/pbs/datastore.ts";
import type { DatastoreOptions } from "#src/pbs/storage/directory/directory_options.ts";
import { type GroupId, ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const GROUP: GroupId = { ns: ROOT_NAMESPACE, type: "host", id: "a" };
const REFUSED = { name: "StateError", code: "maintenance" };

/** A datastore, and what a server of it leaves in the file system. */
class Fixture implements Disposable {
  readonly #home = new TempDirectory("server");
  readonly path = this.#home.join("store");
  readonly config = this.#home.join("datastore.cfg");
  readonly locks = this.#home.join("locks");

  constructor() {
    Deno.mkdirSync(`${this.path}/.chunks`, { recursive: true });
  }

  configure(...lines: string[]): void {
    const text = [`datastore: main`, `\tpath ${this.path}`, ...lines.map((line) => `\t${line}`)];
    Deno.writeTextFileSync(this.config, `datastore: other\n\tpath /\n\n${text.join("\n")}\n`);
  }

  open(access: "read" | "write", options: DatastoreOptions = {}): Datastore {
    return Datastore.open(this.path, {
      access,
      lockTimeoutMs: 50,
      serverLocksPath: this.locks,
      serverConfigPath: this.config,
      ...options,
    });
  }

  [Symbol.dispose](): void {
    this.#home[Symbol.dispose]();
  }
}

Deno.test("Datastore does nothing that its server's maintenance mode excludes", () => {
  using fixture = new Fixture();
  fixture.configure("maintenance-mode type=read-only,message=moving");
  assert.throws(() => fixture.open("write"), REFUSED);
  assert.throws(() => fixture.open("write"), { message: /read-only/ });
  fixture.open("read").close();
  for (const mode of ["offline", "delete", "unmount", "s3-refresh", "something-new"]) {
    fixture.configure(`maintenance-mode ${mode}`);
    assert.throws(() => fixture.open("read"), REFUSED, mode);
    assert.throws(() => fixture.open("write"), REFUSED, mode);
  }
  Deno.mkdirSync(fixture.locks);
  assert.throws(() => fixture.open("read", { serverStore: "main" }), REFUSED);
  fixture.configure();
  fixture.open("write").close();
});

Deno.test("Datastore finds the directory in its server's list by whatever path", () => {
  using fixture = new Fixture();
  const link = `${fixture.path}-link`;
  Deno.symlinkSync(fixture.path, link);
  const text = `datastore: main\n\tpath ${link}\n\tmaintenance-mode offline\n`;
  Deno.writeTextFileSync(fixture.config, text);
  assert.throws(() => fixture.open("read"), REFUSED);
});

Deno.test("Datastore takes its server's locks by the name in the server's list", () => {
  using fixture = new Fixture();
  Deno.mkdirSync(fixture.locks);
  const locked = () => {
    const store = fixture.open("write");
    const writer = store.startSnapshot({ group: GROUP });
    writer.abort();
    store.close();
    return { names: [...Deno.readDirSync(fixture.locks)].map(({ name }) => name), store };
  };
  const unknown = locked();
  assert.deepEqual(unknown.names, []);
  assert.match(unknown.store.warnings.join(), /name for the datastore is not known/);
  fixture.configure();
  const known = locked();
  assert.deepEqual(known.names, ["main"]);
  assert.deepEqual(known.store.warnings, []);
});

Deno.test("Datastore refuses a server's name that is not that of the directory", () => {
  using fixture = new Fixture();
  fixture.configure();
  Deno.mkdirSync(fixture.locks);
  for (const serverStore of ["another", "other"]) {
    assert.throws(() => fixture.open("read", { serverStore }), {
      name: "UsageError",
      message: new RegExp(`is not "${serverStore}"`),
    });
  }
  fixture.open("write", { serverStore: "main" }).close();
  // A server in a container has paths of its own.
  Deno.writeTextFileSync(fixture.config, "datastore: main\n\tpath /no/such/directory\n");
  fixture.open("write", { serverStore: "main" }).close();
});

Deno.test("Datastore is not written to without the locks of the server that was named", () => {
  using fixture = new Fixture();
  assert.throws(() => fixture.open("write", { serverStore: "main" }), {
    name: "StateError",
    code: "not-found",
    message: /locks"/,
  });
  const reader = fixture.open("read", { serverStore: "main" });
  assert.match(reader.warnings.join(), /There is no directory/);
  reader.close();
  Deno.mkdirSync(fixture.locks);
  fixture.open("write", { serverStore: "main" }).close();
  assert.throws(() => fixture.open("read", { serverStore: "../x" }), { name: "UsageError" });
});

Deno.test("Datastore does without a server's list that cannot be read, or is none", () => {
  using fixture = new Fixture();
  Deno.mkdirSync(fixture.config);
  fixture.open("write").close();
  Deno.removeSync(fixture.config);
  Deno.writeFileSync(fixture.config, new Uint8Array(5 << 20));
  fixture.open("write").close();
});
