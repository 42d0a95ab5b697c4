import assert from "node:assert/strict";
import fc from "fast-check";
import { UsageError } from "#src/errors.ts";
import {
  formatSourceName,
  parseSourceName,
  SOURCE_KINDS,
  type SourceName,
} from "#src/sources/name.ts";

/** Texts that are made of what has a meaning in names, mostly. */
const texts = fc.array(
  fc.oneof(
    fc.constantFrom(
      "#",
      "%",
      "%23",
      "%25",
      "%2523",
      "pgpro:",
      "pxar:",
      "pbs:",
      "dir:",
      ":",
      "/",
      ".",
      "a",
    ),
    fc.string({ unit: "binary", minLength: 1, maxLength: 3 }),
  ),
  { minLength: 1, maxLength: 8 },
).map((parts) => parts.join("")).filter((text) => !text.includes("\0"));

const names: fc.Arbitrary<SourceName> = fc.record({
  kind: fc.constantFrom(undefined, ...SOURCE_KINDS),
  place: texts,
  item: fc.option(texts, { nil: undefined }),
});

Deno.test("parseSourceName() reads what formatSourceName() writes, whatever is in a path", () => {
  fc.assert(fc.property(names, (name) => {
    const read = parseSourceName(formatSourceName(name));
    // Without a kind a path that begins with one is written as the same path, relative.
    const hasKind = name.kind === undefined &&
      SOURCE_KINDS.some((kind) => name.place.startsWith(`${kind}:`));
    assert.deepEqual(read, { ...name, place: hasKind ? `./${name.place}` : name.place });
  }));
});

Deno.test("formatSourceName() has one text for each name, and parseSourceName() one name for each text", () => {
  fc.assert(fc.property(texts, (text) => {
    let name: SourceName;
    try {
      name = parseSourceName(text);
    } catch (error) {
      assert.ok(error instanceof UsageError);
      return;
    }
    const written = formatSourceName(name);
    assert.equal(formatSourceName(parseSourceName(written)), written);
  }));
});

const NAMES: readonly [string, Partial<SourceName>][] = [
  ["/backups#main/TOTXQL", { place: "/backups", item: "main/TOTXQL" }],
  ["home.pxar", { place: "home.pxar" }],
  ["pxar:home", { kind: "pxar", place: "home" }],
  ["pbs:dir:/srv/store#host/elsa/latest/root.pxar", {
    kind: "pbs",
    place: "dir:/srv/store",
    item: "host/elsa/latest/root.pxar",
  }],
  ["tar:/a/x", { kind: "tar", place: "/a/x" }],
  ["dir:/a/directory", { kind: "dir", place: "/a/directory" }],
  ["./pgpro:x", { place: "./pgpro:x" }],
  ["tester@pbs!tok1@h:8007:main#vm/1", { place: "tester@pbs!tok1@h:8007:main", item: "vm/1" }],
  ["/a%23b#c", { place: "/a#b", item: "c" }],
  ["/100%/a%20b.pxar", { place: "/100%/a%20b.pxar" }],
  ["/a%2523", { place: "/a%23" }],
  ["/a#b#c", { place: "/a", item: "b#c" }],
];

for (const [text, parts] of NAMES) {
  Deno.test(`parseSourceName() reads "${text}"`, () => {
    assert.deepEqual(parseSourceName(text), {
      kind: undefined,
      item: undefined,
      ...parts,
    });
  });
}

for (const text of ["", "pxar:", "#a", "pbs:#a", "/a#", "/a\0b", "a".repeat(8193)]) {
  Deno.test(`parseSourceName() refuses "${text.slice(0, 10)}" of ${text.length}`, () => {
    assert.throws(() => parseSourceName(text), UsageError);
  });
}
