import assert from "node:assert/strict";
import type { CatalogDescription } from "#src/pgprobackup/describe.ts";
import { formatCatalog } from "#src/cli/output/catalog_text.ts";
import { formatBoxTable } from "#src/cli/terminal/box_table.ts";
import { formatTable } from "#src/cli/terminal/table.ts";
import { wrapCells, wrapCommandLine, wrapText } from "#src/cli/terminal/wrapping.ts";
import { runCommand } from "#tests/support/process.ts";
import { MAIN_MODULE } from "../_program.ts";

const widthOf = (text: string) => Math.max(...text.split("\n").map(({ length }) => length));

Deno.test("wrapText() breaks at blanks, words never, and loses nothing", () => {
  assert.deepEqual(wrapText("one two three", 8), ["one two", "three"]);
  assert.deepEqual(wrapText("abcdefghij k", 4), ["abcdefghij", "k"]);
  assert.deepEqual(wrapText("  └─ it fits  ", 20), ["  └─ it fits  "]);
  assert.deepEqual(wrapText("", 5), [""]);
});

Deno.test("wrapCommandLine() gives lines that a shell reads as the one line", async () => {
  const line = "printf '%s|' one \"two  three\" --set a='b c' four five";
  const { stdout } = await runCommand(["sh", "-c", line], { timeoutMs: 10_000 });
  for (let width = 5; width < 60; width++) {
    const lines = wrapCommandLine(line, width);
    const again = await runCommand(["sh", "-c", lines.join("\n")], { timeoutMs: 10_000 });
    assert.equal(again.stdout, stdout, String(width));
  }
  assert.deepEqual(wrapCommandLine("a bb ccc", 80), ["a bb ccc"]);
});

Deno.test("wrapCells() breaks at blanks, and no words and no whole columns", () => {
  const rows = [["host/elsa/2024-01-10", "one two three four five", "2.5 MiB"]];
  const isWhole = [false, false, true];
  assert.deepEqual(wrapCells(rows, 39, isWhole), [[["host/elsa/2024-01-10"], [
    "one two",
    "three four",
    "five",
  ], ["2.5 MiB"]]]);
  assert.deepEqual(wrapCells(rows, Infinity, isWhole), [rows[0]!.map((cell) => [cell])]);
  assert.ok(wrapCells(rows, 32, isWhole) !== undefined);
  assert.equal(wrapCells(rows, 31, isWhole), undefined);
  assert.deepEqual(wrapCells([], 5, []), []);
});

const COLUMNS_OF_ALL_KINDS = [
  { title: "snapshot" },
  { title: "size", align: "right" as const },
  { title: "files" },
];
const ROWS_OF_ALL_KINDS = [
  ["host/h/2023-11-14T22:13:20Z", "2.862 MiB", "big.img catalog.pcat1 client.log"],
  [
    "host/with-a-name-that-is-long/2023-11-14T22:13:20Z",
    "0 B",
    "a-file.of-a-name-longer.than-that",
  ],
  ["vm/1/2023-11-14T22:13:20Z", "unfinished", ""],
];

/** All that could be copied from a table. */
function wordsOf(text: string): string[] {
  return text.split(/[\s│┌┐└┘├┤┬┴┼─═╞╡╪]+/u).filter((word) => word !== "").sort();
}

Deno.test("tables of all kinds break no id and no number at any width, and fit where words do", () => {
  const styles = [true, false].flatMap((hasBorder) =>
    [true, false].map((hasHeader) => ({ hasBorder, hasHeader }))
  );
  const kinds = [
    ...styles.map((style) => (width?: number) =>
      formatBoxTable(COLUMNS_OF_ALL_KINDS, ROWS_OF_ALL_KINDS, { ...style, widthMax: width })
    ),
    (width?: number) => formatTable(COLUMNS_OF_ALL_KINDS, ROWS_OF_ALL_KINDS, width),
  ];
  for (const format of kinds) {
    const whole = format();
    assert.equal(format(500), whole);
    const cells = ROWS_OF_ALL_KINDS.flatMap((row) => row.flatMap((cell) => cell.split(" ")));
    for (let width = 20; width <= 200; width++) {
      const text = format(width);
      const words = wordsOf(text);
      for (const word of cells) assert.ok(word === "" || words.includes(word), `${word}:\n${text}`);
      // A number stands beside its unit.
      assert.match(text, /2\.862 MiB/);
      // The longest word, behind the longest heading.
      if (width >= 50 + 10) assert.ok(widthOf(text) <= width, text);
      if (!text.startsWith("┌")) continue;
      for (const line of text.trimEnd().split("\n")) {
        assert.equal(line.length, text.indexOf("\n"));
      }
    }
  }
});

Deno.test("pbkfs show leaves columns out where the terminal is narrow, names them, and keeps the tree", () => {
  const backup = {
    chain: [],
    mountable: true,
    mountable_with_force: true,
    tablespaces: [],
    external_directories: [],
    recovery_time: "2026-11-21T02:01:46Z",
    status: "OK",
    mode: "DELTA",
  };
  const backups = ["", "└─ ", "   └─ ", "      └─ "]
    .map((branch, index) => ({ ...backup, branch, id: `TOTXM${index}` }));
  const catalog = { store: "/b", instances: [{ name: "main", backups }] };
  const format = (width?: number) => formatCatalog(catalog as unknown as CatalogDescription, width);
  assert.match(format(), /WAL mode.*Tablespaces/);
  for (const width of [40, 60, 80, 100]) {
    const text = format(width);
    assert.ok(widthOf(text) <= width, text);
    assert.match(text, /^(?:ID +)? {6}└─ TOTXM3(?: |$)/m);
    assert.match(text.replaceAll("\n", " "), /Not shown in this width: .*Tablespaces/);
    assert.doesNotMatch(text, /\u00a0/);
  }
});

Deno.test("pbkfs show breaks no id, time or reason's word at any width", () => {
  const backup = {
    chain: [],
    id: "TOTXQ4",
    branch: "   └─ ",
    mountable: false,
    mountable_with_force: false,
    reason: 'parent TOTXQ3 is missing in "/backups/backups/main", removed by retention or by hand',
    tablespaces: [],
    external_directories: [],
    recovery_time: "2026-11-21T02:01:46Z",
    status: "ORPHAN",
    mode: "DELTA",
    data_bytes: 123_456_789_012,
  };
  const catalog = { store: "/b", instances: [{ name: "main", backups: [backup] }] };
  for (let width = 40; width <= 200; width++) {
    const text = formatCatalog(catalog as unknown as CatalogDescription, width);
    for (const word of ["TOTXQ4", "TOTXQ3", "02:01:46Z", "115GB", "ORPHAN", "DELTA", "retention"]) {
      assert.ok(
        wordsOf(text).some((found) => found.replaceAll(/[",]/g, "") === word),
        `${word} at ${width}:\n${text}`,
      );
    }
    assert.ok(widthOf(text) <= Math.max(width, 60), text);
  }
});

Deno.test("COLUMNS says the width, also where the output is no terminal", async () => {
  const help = (columns: string) =>
    runCommand([Deno.execPath(), "run", "--quiet", "-A", MAIN_MODULE, "show", "--help"], {
      timeoutMs: 60_000,
      env: { COLUMNS: columns },
    });
  const narrow = (await help("60")).stdout;
  const wide = (await help("200")).stdout;
  assert.ok(widthOf(narrow) <= 60 && widthOf(wide) > 60, narrow + wide);
  for (const wrong of ["0", "-5", "wide", ""]) {
    assert.equal((await help(wrong)).stdout, (await help("100")).stdout);
  }
});

Deno.test("help fits the terminal", async () => {
  const commands = ["", "mount", "show", "pxar", "pxar create", "pbs", "pbs backup", "pbs restore"];
  for (const columns of [60, 80]) {
    for (const command of commands) {
      const program = [Deno.execPath(), "run", "--quiet", "-A", MAIN_MODULE, ...command.split(" ")]
        .filter((word) => word !== "");
      const line = `stty cols ${columns}; ${program.map((word) => `'${word}'`).join(" ")} --help`;
      const { stdout } = await runCommand(["script", "-qec", line, "/dev/null"], {
        timeoutMs: 60_000,
      });
      // deno-lint-ignore no-control-regex
      const text = stdout.replaceAll(/\x1b\[[\d;?]*[a-zA-Z]|\r/g, "");
      assert.match(text, /EXIT STATUS/);
      assert.ok(widthOf(text) <= columns, `${command} at ${columns}:\n${text}`);
    }
  }
});
