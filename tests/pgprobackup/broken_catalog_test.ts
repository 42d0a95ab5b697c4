import { equal, ok } from "node:assert/strict";
import { join } from "node:path";
import { Failure, FormatError, IntegrityError, StateError } from "#src/errors.ts";
import {
  copyCatalog,
  type PgProbackupFixture,
  pgprobackupFixture,
} from "#tests/support/pgprobackup_fixtures.ts";
import { type Access, BUILT_IN, fileAt, NATIVE, openTree, readAll } from "./_tree_support.ts";

const [F, D1, P2, D3] = ["TOTXMX", "TOTXO5", "TOTXPE", "TOTXQL"] as const;
const BIG = "base/5/16396";

/** A copy of a catalog in which files can be edited. */
class EditableCatalog {
  constructor(readonly store: string) {}

  path(id: string, name: string): string {
    return join(this.store, "backups/main", id, name);
  }

  write(id: string, name: string, offset: number, bytes: readonly number[]): void {
    const file = Deno.openSync(this.path(id, name), { write: true });
    file.seekSync(offset, Deno.SeekMode.Start);
    file.writeSync(Uint8Array.from(bytes));
    file.close();
  }

  cut(id: string, name: string, size: number): void {
    const path = this.path(id, name);
    Deno.truncateSync(path, Deno.statSync(path).size - size);
  }

  setControl(id: string, key: string, value: string): void {
    const path = this.path(id, "backup.control");
    const text = Deno.readTextFileSync(path);
    const line = new RegExp(`^${key} = .*$`, "m");
    Deno.writeTextFileSync(
      path,
      line.test(text) ? text.replace(line, `${key} = ${value}`) : `${text}${key} = ${value}\n`,
    );
  }
}

/** What the edit must lead to. */
interface Expected {
  readonly error?: typeof FormatError | typeof IntegrityError | typeof StateError;
  readonly code?: string;
  readonly says?: RegExp;
  /** File that the message names, and the backup. */
  readonly file?: readonly [id: string, name: string];
  readonly offset?: number;
  /** What happens with `force`: the same, or it opens. */
  readonly forceOpens?: boolean;
}

interface Variant {
  readonly name: string;
  readonly edit: (catalog: EditableCatalog) => void;
  readonly expected: Expected;
}

const status = (id: string, value: string, expected: Expected): Variant => ({
  name: `status = ${value} in ${id}`,
  edit: (catalog) => catalog.setControl(id, "status", value),
  expected,
});

const VARIANTS: readonly Variant[] = [
  {
    name: "5000 bytes cut off a relation of F",
    edit: (catalog) => catalog.cut(F, `database/${BIG}`, 5000),
    expected: {
      error: IntegrityError,
      says: /13443000 bytes, the file list says 13448000/,
      file: [F, `database/${BIG}`],
      offset: 13443000,
    },
  },
  {
    name: "compressed_size -1 in record 3",
    edit: (catalog) => catalog.write(F, `database/${BIG}`, 8200 * 3 + 4, [255, 255, 255, 255]),
    expected: {
      error: FormatError,
      says: /payload of -1/,
      file: [F, `database/${BIG}`],
      offset: 24600,
    },
  },
  {
    name: "garbage in block 3",
    edit: (catalog) =>
      catalog.write(F, `database/${BIG}`, 8200 * 3 + 8 + 4000, [0x5a, 0x5a, 0x5a, 0x5a]),
    expected: {
      error: IntegrityError,
      says: /block 3: wrong page checksum/,
      file: [F, `database/${BIG}`],
      offset: 24600,
    },
  },
  {
    name: "block number 99 in record 3",
    edit: (catalog) => catalog.write(F, `database/${BIG}`, 8200 * 3, [0x63, 0, 0, 0]),
    expected: {
      error: IntegrityError,
      says: /block 99.*say block 3/,
      file: [F, `database/${BIG}`],
      offset: 24600,
    },
  },
  {
    name: "a relation of F removed",
    edit: (catalog) => Deno.removeSync(catalog.path(F, `database/${BIG}`)),
    expected: {
      error: IntegrityError,
      code: "missing",
      says: /ENOENT/,
      file: [F, `database/${BIG}`],
    },
  },
  {
    name: "P2 removed",
    edit: (catalog) => Deno.removeSync(catalog.path(P2, ""), { recursive: true }),
    expected: {
      error: StateError,
      code: "chain-broken",
      says: /backup TOTXPE, the parent of TOTXQL/,
    },
  },
  status(D1, "ERROR", { error: StateError, code: "chain-corrupt", says: /TOTXO5: status ERROR/ }),
  status(D1, "DELETING", { error: StateError, code: "chain-corrupt", says: /DELETING/ }),
  status(D1, "RUNNING", { error: StateError, code: "chain-corrupt", says: /RUNNING/ }),
  status(D1, "CORRUPT", { error: StateError, code: "chain-corrupt", forceOpens: true }),
  status(D1, "ORPHAN", { error: StateError, code: "chain-corrupt", forceOpens: true }),
  status(D1, "MERGING", { error: StateError, code: "chain-corrupt", forceOpens: true }),
  status(F, "MERGING", {
    error: StateError,
    code: "chain-corrupt",
    says: /TOTXMX: status MERGING/,
  }),
  status(D1, "DONE", {}),
  status(D3, "ERROR", { error: StateError, code: "chain-corrupt", says: /TOTXQL: status ERROR/ }),
  ...[D1, D3].map((id): Variant => ({
    name: `300 bytes cut off the list of ${id}`,
    edit: (catalog) => catalog.cut(id, "backup_content.control", 300),
    expected: { error: FormatError, says: /cut off/, file: [id, "backup_content.control"] },
  })),
  {
    name: "the list of D1 cut at a line end",
    edit: (catalog) => {
      const path = catalog.path(D1, "backup_content.control");
      const lines = Deno.readTextFileSync(path).split("\n");
      Deno.writeTextFileSync(path, lines.slice(0, -3).join("\n") + "\n");
    },
    expected: {
      error: IntegrityError,
      says: /CRC is \d+, the control file says 1850858394/,
      file: [D1, "backup_content.control"],
    },
  },
  {
    name: "backup.control of D1 emptied",
    edit: (catalog) => Deno.truncateSync(catalog.path(D1, "backup.control"), 0),
    expected: { error: StateError, code: "chain-broken", says: /TOTXO5.*is empty/ },
  },
  {
    name: "4 bytes zeroed in the header map of D1",
    edit: (catalog) => catalog.write(D1, "page_header_map", 10, [0, 0, 0, 0]),
    expected: {
      error: IntegrityError,
      says: /Cannot expand page headers/,
      file: [D1, "page_header_map"],
      offset: 0,
    },
  },
  {
    name: "program-version 2.6.0 in D3",
    edit: (catalog) => catalog.setControl(D3, "program-version", "2.6.0"),
    expected: {
      error: FormatError,
      code: "unsupported",
      says: /2\.6\.0 is newer/,
      file: [D3, "backup.control"],
    },
  },
  {
    name: "program-version 2.3.5 in F",
    edit: (catalog) => catalog.setControl(F, "program-version", "2.3.5"),
    expected: {
      error: FormatError,
      code: "unsupported",
      says: /2\.3\.5 is older/,
      file: [F, "backup.control"],
    },
  },
  {
    name: "block-size 16384 in F",
    edit: (catalog) => catalog.setControl(F, "block-size", "16384"),
    expected: {
      error: FormatError,
      code: "unsupported",
      says: /block-size is 16384/,
      file: [F, "backup.control"],
    },
  },
  {
    name: "an unknown key in D3",
    edit: (catalog) => catalog.setControl(D3, "unknown-key", "5"),
    expected: {},
  },
  {
    name: "a circle of parents",
    edit: (catalog) => {
      catalog.setControl(F, "backup-mode", "DELTA");
      catalog.setControl(F, "parent-backup-id", `'${P2}'`);
    },
    expected: { error: StateError, code: "chain-broken", says: /own ancestor/ },
  },
  {
    name: "the header map of F cut to half",
    edit: (catalog) => Deno.truncateSync(catalog.path(F, "page_header_map"), 5000),
    expected: { error: IntegrityError, file: [F, "page_header_map"] },
  },
  {
    name: "a relation of F replaced by a link to another file",
    edit: (catalog) => {
      Deno.removeSync(catalog.path(F, `database/${BIG}`));
      Deno.symlinkSync("/etc/passwd", catalog.path(F, `database/${BIG}`));
    },
    expected: {
      error: IntegrityError,
      code: "missing",
      says: /ELOOP/,
      file: [F, `database/${BIG}`],
    },
  },
  {
    name: "a whole file of F cut short",
    edit: (catalog) => catalog.cut(F, "database/pg_hba.conf", 1),
    expected: { error: IntegrityError, file: [F, "database/pg_hba.conf"] },
  },
];

/** Opens and reads everything; the first failure. */
function failureOf(store: string, force: boolean, access: Access): unknown {
  try {
    const tree = openTree(store, D3, { force, access });
    for (let id = 1;; id++) {
      const node = tree.nodeById(id);
      if (node === undefined) break;
      if (node.kind === "file") readAll(node, access);
    }
    tree.close();
    return undefined;
  } catch (error) {
    return error;
  }
}

function check(catalog: EditableCatalog, expected: Expected, failure: unknown): void {
  if (expected.error === undefined) {
    equal(failure, undefined);
    return;
  }
  ok(failure instanceof expected.error, String(failure));
  ok(failure instanceof Failure);
  if (expected.code !== undefined) equal(failure.code, expected.code);
  ok(expected.says?.test(failure.message) ?? true, failure.message);
  if (expected.file === undefined) return;
  const [id, name] = expected.file;
  ok(failure.message.includes(`"${catalog.path(id, name)}"`), failure.message);
  ok(failure.message.includes(`backup ${id}`), failure.message);
  if (expected.offset !== undefined) {
    ok(failure.message.includes(`offset ${expected.offset},`), failure.message);
  }
}

async function withCopy(run: (catalog: EditableCatalog) => void): Promise<void> {
  const fixture = (await pgprobackupFixture("a-stream-none")) as PgProbackupFixture;
  const directory = Deno.makeTempDirSync({ prefix: "pbkfs-broken-" });
  try {
    const store = join(directory, "catalog");
    copyCatalog(fixture.catalog, store);
    run(new EditableCatalog(store));
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

for (const { name, edit, expected } of VARIANTS) {
  const outcome = expected.error === undefined ? "opens" : "refuses";
  Deno.test(`PgProbackupTree ${outcome} a catalog with ${name}`, () =>
    withCopy((catalog) => {
      edit(catalog);
      check(catalog, expected, failureOf(catalog.store, false, NATIVE));
      check(catalog, expected, failureOf(catalog.store, false, BUILT_IN));
      check(catalog, expected.forceOpens ? {} : expected, failureOf(catalog.store, true, NATIVE));
    }));
}

Deno.test("PgProbackupTree serves the rest of a damaged relation", () =>
  withCopy((catalog) => {
    catalog.write(F, `database/${BIG}`, 8200 * 3 + 8 + 4000, [0x5a, 0x5a, 0x5a, 0x5a]);
    const tree = openTree(catalog.store, F);
    const content = fileAt(tree, BIG).open();
    const buffer = NATIVE.codecs.allocate(8192);
    for (const block of [2, 3, 4]) {
      let failure: unknown;
      try {
        equal(content.readInto(buffer, 0, 8192, block * 8192), 8192);
      } catch (error) {
        failure = error;
      }
      equal(failure instanceof IntegrityError, block === 3);
    }
    tree.close();
  }));

Deno.test("PgProbackupTree reads a chain whose header maps are lost by scanning", () =>
  withCopy((catalog) => {
    const before = openTree(catalog.store, D3);
    const expected = readAll(fileAt(before, BIG));
    before.close();
    for (const id of [F, D1, P2, D3]) Deno.removeSync(catalog.path(id, "page_header_map"));
    const tree = openTree(catalog.store, D3);
    ok(
      Uint8Array.from(readAll(fileAt(tree, BIG))).every((byte, index) => byte === expected[index]),
    );
    tree.close();
    // By scan alone the record header is all there is to check.
    catalog.write(F, `database/${BIG}`, 8200 * 3 + 4, [255, 255, 255, 255]);
    check(
      catalog,
      {
        error: FormatError,
        says: /payload of -1 bytes/,
        file: [F, `database/${BIG}`],
        offset: 24600,
      },
      failureOf(catalog.store, false, NATIVE),
    );
  }));
