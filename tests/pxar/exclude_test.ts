import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeFileName } from "#src/bytes/file_name.ts";
import { UsageError } from "#src/errors.ts";
import {
  formatPatterns,
  parseExcludeFile,
  parseExcludeOptions,
  PathPattern,
  PatternList,
} from "#src/pxar/exclude/mod.ts";
import { type CaseTree, excludeCases } from "./_exclude_cases.ts";

/** All paths of a tree with their kinds; directories are there for the files in them. */
function nodesOf(tree: CaseTree): Map<string, "directory" | "file" | "symlink"> {
  const nodes = new Map<string, "directory" | "file" | "symlink">();
  for (const [path, content] of Object.entries(tree)) {
    const names = path.split("/");
    for (let depth = 1; depth < names.length; depth++) {
      nodes.set("/" + names.slice(0, depth).join("/"), "directory");
    }
    const kind = content === null ? "directory" : typeof content === "string" ? "file" : "symlink";
    nodes.set("/" + path, kind);
  }
  return nodes;
}

/** Lists what an archive would hold, without any file system. */
function listIncluded(tree: CaseTree, exclude: readonly string[]): string[] {
  const nodes = nodesOf(tree);
  const patterns = parseExcludeOptions(exclude);
  const list = new PatternList(patterns);
  const result = ["/"];
  const descend = (directory: string) => {
    const before = list.length;
    const file = tree[`${directory}/.pxarexclude`.slice(1)];
    if (typeof file === "string") {
      const parsed = parseExcludeFile(encodeFileName(file), encodeFileName(directory));
      for (const pattern of parsed.patterns) list.push(pattern);
    }
    const children = [...nodes.keys()].filter((path) =>
      path.slice(0, path.lastIndexOf("/")) === directory
    );
    for (const path of children.sort()) {
      if (path === "/.pxarexclude-cli") continue;
      const bytes = encodeFileName(path);
      const isDirectory = nodes.get(path) === "directory";
      if (list.decide(bytes, bytes.length, isDirectory) === "exclude") continue;
      result.push(path);
      if (isDirectory) descend(path);
    }
    list.truncate(before);
  };
  descend("");
  if (patterns.length > 0) result.push("/.pxarexclude-cli");
  return result;
}

Deno.test("PatternList decides as the reference does in every case of the fixtures", async (t) => {
  for (const testCase of excludeCases()) {
    await t.step(`${testCase.name} ${JSON.stringify(testCase.exclude)}`, () => {
      if (testCase.exit_code !== 0) {
        assert.throws(() => parseExcludeOptions(testCase.exclude), { code: "bad-pattern" });
        return;
      }
      const paths = listIncluded(testCase.tree, testCase.exclude);
      assert.deepEqual(paths, testCase.paths_4x ?? testCase.paths);
      const recorded = formatPatterns(parseExcludeOptions(testCase.exclude));
      assert.equal(recorded, testCase.pxarexclude_cli?.content ?? "");
    });
  }
});

function matches(pattern: string, path: string, isDirectory = false): boolean {
  const bytes = encodeFileName(path);
  return PathPattern.parse(pattern).matches(bytes, bytes.length, isDirectory);
}

Deno.test("PathPattern.matches() knows every part of the language", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["a*c", "/abbc", true],
    ["a*c", "/ab/c", false],
    ["a*", "/a", true],
    ["?", "/é", false],
    ["??", "/é", true],
    ["\\?", "/x", false],
    ["\\[x]", "/[x]", true],
    ["a/**/b", "/a/b", true],
    ["a/**/b", "/a/x/y/b", true],
    ["a/**/b", "/a/xb", false],
    ["a/**/**/b", "/a/b", true],
    ["/**/b", "/b", true],
    ["/**/b", "/x/y/b", true],
    ["a/***/b", "/a/x/b", true],
    ["x/**", "/x", false],
    ["x/**", "/x/y/z", true],
    ["x**y", "/x/y", false],
    ["[a-c]x", "/bx", true],
    ["[c-a]x", "/bx", true],
    ["[-a]x", "/-x", true],
    ["[^-a]x", "/-x", false],
    ["[\\]]x", "/]x", true],
    ["[a-\\c]x", "/bx", true],
    ["a[/]b", "/a/b", true],
    ["a[^x]b", "/a/b", true],
    ["[[:upper:][:digit:]_]", "/_", true],
    ["[[:upper:]]", "/a", false],
    ["[^[:space:]]", "/\t", false],
    ["[[x]", "/[", true],
    ["[^]", "/x", true],
    ["[]", "/x", false],
    ["caf\udce9", "/caf\udce9", true],
  ];
  for (const [pattern, path, expected] of cases) {
    assert.equal(matches(pattern, path), expected, `${pattern} on ${path}`);
  }
});

Deno.test("PathPattern.matches() takes every member of the named classes and no other byte", () => {
  const members: Record<string, RegExp> = {
    alnum: /[A-Za-z0-9]/,
    alpha: /[A-Za-z]/,
    blank: /[ \t]/,
    cntrl: /(?![\x80-\xff])\p{Cc}/u,
    digit: /[0-9]/,
    graph: /[!-~]/,
    lower: /[a-z]/,
    print: /[ -~]/,
    punct: /[!-/:-@[-`{-~]/,
    space: /[ \t\n\r\f\v]/,
    upper: /[A-Z]/,
    xdigit: /[0-9A-Fa-f]/,
  };
  for (const [name, expression] of Object.entries(members)) {
    const pattern = PathPattern.parse(`/[[:${name}:]]`);
    for (let byte = 0; byte < 256; byte++) {
      const isMember = byte < 128 && expression.test(String.fromCharCode(byte));
      assert.equal(
        pattern.matches(Uint8Array.of(0x2f, byte), 2, false),
        isMember,
        `${name} ${byte}`,
      );
    }
  }
});

Deno.test("PathPattern.parse() refuses what it does not understand", () => {
  for (
    const pattern of [
      "a\\",
      "[a",
      "[",
      "[a-",
      "[a-]",
      "[\\",
      "[[:x:]]",
      "[[:digit:",
      "a\0b",
      "x".repeat(5000),
    ]
  ) {
    assert.throws(
      () => PathPattern.parse(pattern),
      (error) => error instanceof UsageError && error.code === "bad-pattern",
      pattern.slice(0, 20),
    );
  }
});

Deno.test("PathPattern.matches() takes no longer for patterns that invite backtracking", () => {
  const path = encodeFileName("/" + "a".repeat(4000));
  const pattern = PathPattern.parse("*a".repeat(100) + "[b]");
  const start = performance.now();
  assert.equal(pattern.matches(path, path.length, false), false);
  assert.ok(performance.now() - start < 1000);
});

/** The language by a backtracking matcher written down from its description. */
function slowMatches(pattern: string, path: string): boolean {
  const at = (p: number, s: number): boolean => {
    if (p === pattern.length) return s === path.length;
    if (pattern[p] === "*") {
      let end = p;
      while (pattern[end] === "*") end++;
      const isTree = end - p > 1 && (p === 0 || pattern[p - 1] === "/") &&
        (end === pattern.length || pattern[end] === "/");
      if (isTree && end < pattern.length && at(end + 1, s)) return true;
      for (let stop = s; stop <= path.length; stop++) {
        if (at(end, stop)) return true;
        if (!isTree && path[stop] === "/") return false;
      }
      return false;
    }
    if (s === path.length) return false;
    if (pattern[p] === "?") return path[s] !== "/" && at(p + 1, s + 1);
    return pattern[p] === path[s] && at(p + 1, s + 1);
  };
  const starts = [0];
  for (let index = 1; index < path.length; index++) if (path[index - 1] === "/") starts.push(index);
  return starts.some((start) => at(0, start));
}

Deno.test("PathPattern.matches() agrees with a backtracking matcher", () => {
  const parts = fc.constantFrom("a", "b", "/", "*", "**", "?", "/**/");
  const patterns = fc.array(parts, { minLength: 1, maxLength: 7 }).map((list) => list.join(""))
    .filter((pattern) => !pattern.endsWith("/") && !pattern.startsWith("/"));
  const paths = fc.array(fc.stringMatching(/^[ab]{1,3}$/), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(patterns, paths, (pattern, names) => {
      const path = "/" + names.join("/");
      const expected = slowMatches(pattern, path);
      assert.equal(matches(pattern, path), expected, `${pattern} on ${path}`);
    }),
    { numRuns: 3000, seed: 4 },
  );
});

Deno.test("parseExcludeFile() keeps good lines, reports bad ones and anchors below its directory", () => {
  const text = "# no\n\n  *.tmp \t\r\n!/in [x]\n/./a/../b/.\n..\n[\nlast/";
  const { patterns, problems } = parseExcludeFile(
    encodeFileName(text),
    encodeFileName("/di*r"),
  );
  assert.equal(formatPatterns(patterns), "*.tmp\n!/in [x]\n/a/b\nlast/\n");
  assert.equal(problems.length, 3);
  const anchored = patterns[2]!;
  for (
    const [path, expected] of [["/di*r/a/b", true], ["/diir/a/b", false], [
      "/x/di*r/a/b",
      false,
    ]] as const
  ) {
    const bytes = encodeFileName(path);
    assert.equal(anchored.matches(bytes, bytes.length, true), expected, path);
  }
});
