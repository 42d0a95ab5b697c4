import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { FormatError } from "#src/errors.ts";
import {
  canonicalJson,
  type JsonValue,
  parseStrictJson,
  prettyJson,
} from "#src/pbs/format/canonical_json.ts";

const compareUtf8 = (a: string, b: string) => {
  const [first, second] = [a, b].map((text) => new TextEncoder().encode(text)) as [
    Uint8Array,
    Uint8Array,
  ];
  const length = Math.min(first.length, second.length);
  for (let index = 0; index < length; index++) {
    if (first[index] !== second[index]) return first[index]! - second[index]!;
  }
  return first.length - second.length;
};

Deno.test("canonicalJson() sorts names by their UTF-8 bytes", () => {
  const names = fc.string({ unit: "binary", maxLength: 4 });
  fc.assert(
    fc.property(fc.uniqueArray(names, { maxLength: 8 }), (keys) => {
      const value = Object.fromEntries(keys.map((key) => [key, 1]));
      const sorted = keys.toSorted(compareUtf8).map((key) => `${JSON.stringify(key)}:1`);
      equal(canonicalJson(value), `{${sorted.join(",")}}`);
    }),
    { seed: 2, numRuns: 500 },
  );
  equal(canonicalJson({ "10": 1, "9": 2, a: 3 }), '{"10":1,"9":2,"a":3}');
});

Deno.test("prettyJson() is what JSON.stringify() writes, with names sorted", () => {
  const value: JsonValue = { b: [], a: {}, d: [1, [2, { x: null }], "s\n"], c: true, e: -1.5 };
  equal(
    prettyJson(value),
    JSON.stringify({ a: {}, b: [], c: true, d: [1, [2, { x: null }], "s\n"], e: -1.5 }, null, 2),
  );
});

const values = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(fc.boolean(), fc.integer(), fc.string({ unit: "binary" })),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

Deno.test("canonicalJson() and prettyJson() say the same as the value", () => {
  fc.assert(
    fc.property(values, (value) => {
      deepEqual(parseStrictJson(canonicalJson(value)), value);
      deepEqual(parseStrictJson(prettyJson(value)), value);
    }),
    { seed: 4, numRuns: 300 },
  );
});

Deno.test("canonicalJson() refuses null, what is not exact, and nesting without end", () => {
  throws(() => canonicalJson({ a: null }), FormatError);
  throws(() => canonicalJson([2 ** 53]), FormatError);
  throws(() => prettyJson([1e300]), FormatError);
  let deep: JsonValue = 1;
  for (let level = 0; level < 128; level++) deep = [deep];
  equal(canonicalJson(deep).length, 257);
  throws(() => canonicalJson([deep]), FormatError);
});

Deno.test("parseStrictJson() refuses names that are there twice, in any spelling", () => {
  const bad = [
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061" : 2}',
    '[{"x":{"b":[],"b":[]}}]',
    '{"__proto__":1,"__proto__":2}',
    "{",
    "",
  ];
  for (const text of bad) throws(() => parseStrictJson(text), FormatError, text);
  const good = '{"a":"b\\":","c\\\\":{"a":1},"":[{"a":1},{"a":1}],"__proto__":1}';
  equal(JSON.stringify(parseStrictJson(good)), good);
});
