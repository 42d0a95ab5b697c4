import assert from "node:assert/strict";
import type { CatalogDescription } from "#src/pgprobackup/describe.ts";
import { formatCatalog } from "#src/cli/catalog_text.ts";
import { formatBoxTable } from "#src/cli/pbs/box_table.ts";
import { formatTable } from "#src/cli/table.ts";
import { wrapCells, wrapCommandLine, wrapText } from "#src/cli/wrapping.ts";
import { runCommand } from "#tests/support/process.ts";
import { MAIN_MODULE } from "./_program.ts";

const widthOf = (text: string) => Math.max(...text.split("\n").map(({ length }) => length));

Deno.test("wrapText() breaks at blanks, long words at the width, and loses nothing", () => {
  assert.deepEqual(wrapText("one two three", 8), ["one two", "three"]);
  assert.deepEqual(wrapText("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
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

Deno.test("wrapCells() breaks at blanks before it breaks names", () => {
  const rows = [["host/elsa/2024-01-10", "one two three four five"]];
  assert.deepEqual(wrapCells(rows, 32), [[["host/elsa/2024-01-10"], [
    "one two",
    "three four",
    "five",
  ]]]);
  assert.deepEqual(wrapCells(rows, Infinity), [[[rows[0]![0]], [rows[0]![1]]]]);
  const narrow = wrapCells(rows, 20);
  assert.ok(
    Math.max(...narrow[0]!.flat().map(({ length }) => length)) <= 12,
    JSON.stringify(narrow),
  );
});

Deno.test("tables of both kinds fit the width that they are given", () => {
  const columns = [{ title: "name" }, { title: "size", align: "right" as const }, {
    title: "files",
  }];
  const rows = [["host/h/2023-11-14T22:13:20Z", "2.862 MiB", "big.img catalog.pcat1 client.log"]];
  for (const width of [40, 50, 60, 70]) {
    assert.ok(widthOf(formatTable(columns, rows, width)) <= width);
    const box = formatBoxTable(columns, rows, {
      hasBorder: true,
      hasHeader: true,
      widthMax: width,
    });
    assert.ok(widthOf(box) <= width, box);
    for (const line of box.trimEnd().split("\n")) assert.equal(line.length, box.indexOf("\n"));
  }
  assert.equal(formatTable(columns, rows, 500), formatTable(columns, rows));
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
  for (const width of [60, 80, 100]) {
    const text = format(width);
    assert.ok(widthOf(text) <= width, text);
    assert.match(text, /^ {6}└─ TOTXM3 /m);
    assert.match(text.replaceAll("\n", " "), /Not shown in this width: .*Tablespaces/);
    assert.doesNotMatch(text, /\u00a0/);
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
