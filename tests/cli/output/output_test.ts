import assert from "node:assert/strict";
import { UsageError } from "#src/errors.ts";
import { formatBoxTable } from "#src/cli/terminal/box_table.ts";
import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import { Output } from "#src/cli/output/output.ts";
import { contextOf } from "../pbs/_context.ts";

const TABLE = {
  columns: [{ title: "name" }, { title: "size", align: "right" as const }],
  row: (item: { name: string; size: number }) => [item.name, String(item.size)],
};
const ITEMS = [{ name: "a", size: 1 }, { name: "long name", size: 12345 }];

function print(form: Parameters<typeof outputOf>[0], environment = {}): string {
  const { output, context } = outputOf(form, environment);
  output.records(ITEMS, TABLE);
  return context.printed.out;
}

function outputOf(
  options: ConstructorParameters<typeof Output>[0],
  environment: Record<string, string> = {},
) {
  const context = contextOf(environment);
  return { output: new Output(options, context), context };
}

Deno.test("Output.records() prints a table with borders", () => {
  assert.equal(
    print({}),
    `┌───────────┬───────┐
│ name      │  size │
╞═══════════╪═══════╡
│ a         │     1 │
├───────────┼───────┤
│ long name │ 12345 │
└───────────┴───────┘
`,
  );
});

Deno.test("Output.records() leaves out borders and headings where the environment says so", () => {
  const noHeader = { PROXMOX_OUTPUT_NO_HEADER: "1" };
  const noBorder = { PROXMOX_OUTPUT_NO_BORDER: "1" };
  assert.equal(print({}, { ...noHeader, ...noBorder }), "a              1\nlong name  12345\n");
  assert.equal(print({}, noBorder).split("\n")[0], "name        size");
  assert.doesNotMatch(print({}, noHeader), /name │ {2}size|╞/);
});

Deno.test("Output.records() prints JSON in the forms that are asked for", () => {
  const compact = JSON.stringify(ITEMS) + "\n";
  const pretty = JSON.stringify(ITEMS, null, 2) + "\n";
  assert.equal(print({ format: "json" }), compact);
  assert.equal(print({ outputFormat: "json" }), compact);
  assert.equal(print({ outputFormat: "json-pretty" }), pretty);
  assert.equal(print({}, { PROXMOX_OUTPUT_FORMAT: "json-pretty" }), pretty);
  assert.equal(print({ format: "json" }, { PROXMOX_OUTPUT_FORMAT: "text" }), compact);
  assert.equal(
    print({ format: "jsonl" }),
    ITEMS.map((item) => JSON.stringify(item) + "\n").join(""),
  );
});

Deno.test("Output refuses a form there is not", () => {
  assert.throws(() => outputOf({}, { PROXMOX_OUTPUT_FORMAT: "xml" }), UsageError);
});

Deno.test("Output.event() is for those who follow a run: one document and people get none", () => {
  for (
    const [options, out, err] of [
      [{}, "", ""],
      [{ format: "json" }, "", ""],
      [{ format: "jsonl" }, '{"type":"x","n":1}\n', ""],
    ] as const
  ) {
    const { output, context } = outputOf(options);
    output.event({ type: "x", n: 1 });
    assert.deepEqual(context.printed, { out, err });
  }
});

Deno.test("formatBoxTable() prints nothing for no rows", () => {
  assert.equal(formatBoxTable([{ title: "a" }], [], { hasBorder: true, hasHeader: true }), "");
});

Deno.test("formatHumanBytes() prints sizes as the real client", () => {
  assert.equal(formatHumanBytes(0), "0 B");
  assert.equal(formatHumanBytes(1023), "1023 B");
  assert.equal(formatHumanBytes(62_146), "60.689 KiB");
  assert.equal(formatHumanBytes(10_380_241), "9.899 MiB");
  assert.equal(formatHumanBytes(1_079_785), "1.03 MiB");
  assert.equal(formatHumanBytes(5_520_187), "5.264 MiB");
});
