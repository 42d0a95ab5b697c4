import assert from "node:assert/strict";
import { parseStatements } from "#src/postgres/format/statements.ts";

function texts(sql: string): string[] {
  return parseStatements(sql, "a.sql").map(({ text }) => text);
}

Deno.test("statements end at semicolons that are in no quotation and no comment", () => {
  assert.deepEqual(
    texts(
      `select ';' ; select ";"; select E'\\';'; -- no; statement
       select $$;$$; select $a_1$;$$;$a_1$; /* a; /* b; */ c; */ select 1`,
    ),
    [
      `select ';'`,
      `select ";"`,
      `select E'\\';'`,
      `select $$;$$`,
      `select $a_1$;$$;$a_1$`,
      `select 1`,
    ],
  );
  assert.deepEqual(texts(" ;; -- nothing\n ; "), []);
  assert.deepEqual(texts("select $1; select a$b$c, 'it''s'"), [
    "select $1",
    "select a$b$c, 'it''s'",
  ]);
});

Deno.test("a statement knows its line and the database of the last \\connect", () => {
  const sql = `select 1;\n\\connect app\n-- about two\nselect\n  2;\n\\c "a ""b"\nselect 3`;
  assert.deepEqual(parseStatements(sql, "a.sql"), [
    { text: "select 1", line: 1, database: undefined },
    { text: "select\n  2", line: 4, database: "app" },
    { text: "select 3", line: 7, database: 'a "b' },
  ]);
});

Deno.test("what cannot be cut is refused with its line", () => {
  for (
    const sql of [
      "select 1;\nselect 'a",
      'select 1;\nselect "a',
      "select 1;\nselect $x$ a",
      "select 1;\n/* a",
    ]
  ) {
    assert.throws(() => parseStatements(sql, "a.sql"), /has no end \("a\.sql:2"\)/);
  }
  assert.throws(() => parseStatements("\\gexec", "a.sql"), /only \\connect is known/);
});
