import assert from "node:assert/strict";
import type { LogRecord } from "@logtape/logtape";
import { formatLogLine } from "#src/log/format.ts";
import { parseLogLevel } from "#src/log/level.ts";
import { configureLog, logger } from "#src/log/logger.ts";
import { fileSink } from "#src/log/sinks.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const RECORD: LogRecord = {
  category: ["pbkfs", "mount"],
  level: "info",
  message: ["diff directory prepared"],
  rawMessage: "diff directory prepared",
  timestamp: Date.UTC(2026, 10, 21, 3, 12, 9, 882),
  properties: { diff: "/d" },
};

Deno.test("formatLogLine() writes the text form", () => {
  assert.equal(
    formatLogLine(RECORD, "text"),
    "2026-11-21T03:12:09.882000Z  INFO mount: diff directory prepared diff=/d\n",
  );
  assert.match(formatLogLine({ ...RECORD, level: "error" }, "text"), /Z ERROR mount: /);
  assert.match(formatLogLine({ ...RECORD, level: "warning" }, "text"), /Z {2}WARN mount: /);
});

Deno.test("formatLogLine() writes the JSON form", () => {
  assert.deepEqual(JSON.parse(formatLogLine(RECORD, "json")), {
    timestamp: "2026-11-21T03:12:09.882000Z",
    level: "INFO",
    fields: { message: "diff directory prepared", diff: "/d" },
    span: { name: "mount" },
  });
});

Deno.test("formatLogLine() keeps every record on one line", () => {
  const hostile = {
    ...RECORD,
    message: ["a\nb\u001b[2J"],
    properties: { path: 'x y\n"z"', list: ["\n"], error: new Error("bad\nnews"), big: 5n },
  };
  for (const format of ["text", "json"] as const) {
    const line = formatLogLine(hostile, format);
    assert.equal(line.indexOf("\n"), line.length - 1);
    assert.ok(!line.includes("\u001b"));
  }
  assert.ok(formatLogLine(hostile, "text").includes(String.raw`path="x y\n\"z\""`));
});

Deno.test("fileSink() appends and refuses a symbolic link", () => {
  using directory = new TempDirectory("log");
  const path = directory.join("log");
  Deno.writeTextFileSync(path, "before\n");
  configureLog(fileSink(path, "text"), "info");
  logger("mount").info("after", { n: 1 });
  logger("mount").debug("too small to be seen");
  assert.match(Deno.readTextFileSync(path), /^before\n\S+Z {2}INFO mount: after n=1\n$/);
  Deno.symlinkSync(path, directory.join("link"));
  assert.throws(() => fileSink(directory.join("link"), "text"), { code: "ELOOP" });
});

Deno.test("parseLogLevel() knows the levels and falls back to info", () => {
  assert.equal(parseLogLevel("trace"), "trace");
  assert.equal(parseLogLevel("WARN"), "warning");
  assert.equal(parseLogLevel("nonsense"), "info");
  assert.equal(parseLogLevel(undefined), "info");
});
