/** `pbkfs drill` of catalogs that are broken in every way that the golden material names. */

import assert from "node:assert/strict";
import { copyCatalog, pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { drill, findingsOf, outcomes } from "./_drill.ts";
import { RunPlace } from "./_run_place.ts";

const [FULL, DELTA, LAST] = ["TOTXMX", "TOTXO5", "TOTXQL"];
const ACCOUNTS = "base/5/16396";
/** A stored page has its number and size before it. */
const STORED_PAGE_SIZE = 8200;
const OPTIONS = ["--no-amcheck"];

interface Place {
  /** The backups of the instance. */
  readonly backups: string;
  /** Changes a text file of a backup. */
  edit(path: string, from: RegExp, to: string): void;
}

/** What is done to a copy of the catalog, and what the mount then says. */
interface Edit {
  readonly title: string;
  make(place: Place): void;
  readonly message: RegExp;
}

const refusedStatus = (status: string, id = DELTA!): Edit => ({
  title: `status ${status} of ${id}`,
  make: ({ edit }) => edit(`${id}/backup.control`, /^status = .*/m, `status = ${status}`),
  message: new RegExp(`Cannot open backup ${id}: status ${status}`),
});

/** No server is started on these. */
const REFUSED: readonly Edit[] = [
  ...["ERROR", "RUNNING", "MERGING"].map((status) => refusedStatus(status)),
  refusedStatus("ERROR", LAST),
  {
    title: "a list that ends within a line",
    make: ({ backups }) => cut(`${backups}/${DELTA}/backup_content.control`, 300),
    message: /file is cut off \(".*TOTXO5\/backup_content\.control", offset \d+, backup TOTXO5\)/,
  },
  {
    title: "a list that ends between two lines",
    make: ({ edit }) => edit(`${LAST}/backup_content.control`, /.*\n.*\n$/, ""),
    message: /CRC is \d+.*TOTXQL\/backup_content\.control", offset 0, backup TOTXQL/,
  },
  {
    title: "an empty control file",
    make: ({ edit }) => edit(`${DELTA}/backup.control`, /[^]*/, ""),
    message: /parent TOTXO5 cannot be read: ".*TOTXO5\/backup\.control" is empty/,
  },
  {
    title: "a backup of a newer program",
    make: ({ edit }) => edit(`${LAST}/backup.control`, /^(program-version) = .*/m, "$1 = 2.6.0"),
    message: /Cannot open backup TOTXQL: program-version 2\.6\.0 is newer/,
  },
  {
    title: "another size of blocks",
    make: ({ edit }) => edit(`${FULL}/backup.control`, /^block-size = .*/m, "block-size = 16384"),
    message: /Cannot open backup TOTXMX: block-size is 16384/,
  },
];

function cut(path: string, bytes: number): void {
  Deno.truncateSync(path, Deno.statSync(path).size - bytes);
}

function overwrite(path: string, offset: number, bytes: readonly number[]): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(offset, Deno.SeekMode.Start);
  file.writeSync(Uint8Array.from(bytes));
}

Deno.test("a drill of a backup that cannot be opened is red, and says which file of which backup", async (t) => {
  using place = new RunPlace();
  const catalog = place.home.join("catalog");
  copyCatalog((await pgprobackupFixture("a-stream-none"))!.catalog, catalog);
  const backups = `${catalog}/backups/main`;
  for (const { title, make, message } of REFUSED) {
    await t.step(title, async () => {
      const files = [FULL, DELTA, LAST].flatMap((id) =>
        ["backup.control", "backup_content.control"].map((name) => `${backups}/${id}/${name}`)
      );
      const contents = files.map((path) => Deno.readFileSync(path));
      const edit = (name: string, from: RegExp, to: string) => {
        const path = `${backups}/${name}`;
        const text = Deno.readTextFileSync(path);
        assert.match(text, from);
        Deno.writeTextFileSync(path, text.replace(from, to));
      };
      make({ backups, edit });
      const report = await drill(place, `${catalog}#main/${LAST}`, ...OPTIONS);
      assert.deepEqual(outcomes(report), { mount: "failed" });
      assert.match(findingsOf(report, "mount")[0]!.message, message);
      for (const [index, path] of files.entries()) Deno.writeFileSync(path, contents[index]!);
    });
  }
});

Deno.test("a drill of a backup with damaged records and page headers names each block", async () => {
  using place = new RunPlace();
  const catalog = place.home.join("catalog");
  copyCatalog((await pgprobackupFixture("a-stream-none"))!.catalog, catalog);
  const backups = `${catalog}/backups/main`;
  const accounts = `${backups}/${FULL}/database/${ACCOUNTS}`;
  overwrite(accounts, STORED_PAGE_SIZE * 3 + 4, [0xff, 0xff, 0xff, 0xff]);
  overwrite(accounts, STORED_PAGE_SIZE * 40, [99, 0, 0, 0]);
  overwrite(`${backups}/${DELTA}/page_header_map`, 10, [0, 0, 0, 0]);
  // What is new in these is no reason to refuse them.
  const control = `${backups}/${DELTA}/backup.control`;
  const text = Deno.readTextFileSync(control).replace(/^status = .*/m, "status = DONE");
  Deno.writeTextFileSync(control, `${text}unknown-key = 5\n`);
  const report = await drill(place, `${catalog}#main/${LAST}`, ...OPTIONS);
  const red = { mount: "failed", start: "passed", amcheck: "skipped", pages: "failed" };
  assert.deepEqual(outcomes(report), red, JSON.stringify(report));
  const found = findingsOf(report, "pages").map(({ file, block }) => `${file} ${block}`);
  assert.deepEqual(found.sort(), [`${ACCOUNTS} 3`, `${ACCOUNTS} 40`, "base/5/16397 0"]);
  const said = findingsOf(report, "mount").map(({ message }) => message).join("\n");
  assert.match(said, /TOTXMX\/database\/base\/5\/16396", offset 24600, backup TOTXMX/);
  assert.match(said, /TOTXO5\/page_header_map", offset 0, backup TOTXO5/);
});
