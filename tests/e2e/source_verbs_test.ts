/** Each verb on each kind of source: equal trees give equal answers, whatever they are kept in. */

import assert from "node:assert/strict";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { DIRECTORIES, FILES, type NamedKind, SourceKinds } from "./_source_kinds.ts";

const PATHS = [...DIRECTORIES, ...Object.keys(FILES)].sort();

/** Lines of a text, without the last line feed. */
function lines(text: string): string[] {
  return text.split("\n").slice(0, -1);
}

/** Files and directories below a path: mode, and bytes as text. */
function contentOf(path: string): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const visit = (at: string, shown: string) => {
    const { isFile, mode } = Deno.lstatSync(at);
    found[shown] = isFile ? [mode! & 0o777, Deno.readFileSync(at).toHex()] : mode! & 0o777;
    if (isFile) return;
    for (const { name } of [...Deno.readDirSync(at)].sort((a, b) => a.name < b.name ? -1 : 1)) {
      visit(`${at}/${name}`, shown === "/" ? `/${name}` : `${shown}/${name}`);
    }
  };
  visit(path, "/");
  return found;
}

/** What {@link contentOf} must find of the tree. @param nameOf undefined for what is left out */
function contentOfTree(nameOf: (path: string) => string | undefined): Record<string, unknown> {
  return Object.fromEntries(PATHS.flatMap((path) => {
    const name = nameOf(path);
    const file = FILES[path];
    return name === undefined ? [] : [[name, file === undefined ? 0o700 : [0o600, file.toHex()]]];
  }));
}

/** What a verb answers about a source, in a form that does not depend on what a kind knows. */
type Ask = (kinds: SourceKinds, source: NamedKind) => Promise<unknown>;

/** What is asked, and what the answer must be. */
const QUESTIONS: Readonly<Record<string, { readonly ask: Ask; readonly answer: unknown }>> = {
  "ls": {
    ask: async (kinds, { name }) => lines(await kinds.must(["ls", name, "/base"])),
    answer: ["1", "with space"],
  },
  "ls of the root": {
    ask: async (kinds, { name }) => lines(await kinds.must(["ls", name])),
    answer: ["PG_VERSION", "base", "empty"],
  },
  "ls -R": {
    ask: async (kinds, { name }) => lines(await kinds.must(["ls", "-R", name])).sort(),
    answer: PATHS,
  },
  "ls -R --format jsonl": {
    ask: async (kinds, { name }) =>
      Object.fromEntries(
        lines(await kinds.must(["ls", "-R", "--format", "jsonl", name])).map((line) => {
          const { path, type, size, mode_octal: mode } = JSON.parse(line);
          return [path, [type, size, mode]];
        }).sort(),
      ),
    answer: Object.fromEntries(
      PATHS.map((path) => {
        const file = FILES[path];
        return [
          path,
          file === undefined ? ["dir", undefined, "40700"] : ["file", file.length, "100600"],
        ];
      }),
    ),
  },
  "ls -l": {
    ask: async (kinds, { name }) => {
      const [line = ""] = lines(await kinds.must(["ls", "-l", name, "/base/1/16384"]));
      return [line.slice(0, 10), /\s73728 "\/base\/1\/16384"$/.test(line)];
    },
    answer: ["-rw-------", true],
  },
  "find": {
    ask: async (kinds, { name }) =>
      lines(await kinds.must(["find", name, "/base", "-t", "f", "-s", "+1k"])),
    answer: ["/base/1/16384"],
  },
  "find of a pattern": {
    ask: async (kinds, { name }) => lines(await kinds.must(["find", name, "-n", "1*"])),
    answer: ["/base/1", "/base/1/16384"],
  },
  "cat": {
    ask: (kinds, { name }) => kinds.must(["cat", name, "/base/with space", "/PG_VERSION"]),
    answer: "content\n15\n",
  },
  "stat": {
    ask: async (kinds, { name }) =>
      JSON.parse(await kinds.must(["stat", name, "/base/1/16384", "/empty", "--format", "json"]))
        .map(({ path, type, size, mode }: Record<string, unknown>) => ({ path, type, size, mode })),
    answer: [
      { path: "/base/1/16384", type: "file", size: 73_728, mode: 0o100_600 },
      { path: "/empty", type: "dir", size: undefined, mode: 0o40_700 },
    ],
  },
  "ls of what is not there": {
    ask: async (kinds, { name }) => {
      const { code, stderr } = await kinds.run(["ls", name, "/nothing", "--format", "json"]);
      return [code, JSON.parse(stderr).code];
    },
    answer: [1, "not-found"],
  },
  "cat of a directory": {
    ask: async (kinds, { name }) => {
      const { code, stderr } = await kinds.run(["cat", name, "/base", "--format", "json"]);
      return [code, JSON.parse(stderr).code];
    },
    answer: [1, "EISDIR"],
  },
  "du": {
    ask: async (kinds, { name }) => lines(await kinds.must(["du", "-b", name])),
    answer: ["73728\t/base/1", "73736\t/base", "0\t/empty", "73739\t/"],
  },
  "du of one level, for programs": {
    ask: async (kinds, { name }) =>
      JSON.parse(await kinds.must(["du", "--depth", "1", "-a", name, "--format", "json"]))
        .map(({ path, size, entries }: Record<string, unknown>) => [path, size, entries]),
    answer: [["/PG_VERSION", 3, 1], ["/base", 73_736, 5], ["/empty", 0, 1], ["/", 73_739, 8]],
  },
  "check": {
    ask: async (kinds, { name }) => {
      const { ok, complete, findings } = JSON.parse(
        await kinds.must(["check", name, "--format", "json"]),
      );
      return { ok, complete, findings };
    },
    answer: { ok: true, complete: true, findings: [] },
  },
  "extract": {
    ask: async (kinds, { name }) => {
      using target = new TempDirectory("extract");
      await kinds.must(["extract", name, target.join("all")]);
      return contentOf(target.join("all"));
    },
    answer: contentOfTree((path) => path),
  },
  "extract of what matches": {
    ask: async (kinds, { name }) => {
      using target = new TempDirectory("extract");
      await kinds.must(["extract", name, target.join("part"), "--pattern", "/base/1/16*"]);
      return Object.keys(contentOf(target.join("part")));
    },
    answer: ["/", "/base", "/base/1", "/base/1/16384"],
  },
  "extract of paths": {
    ask: async (kinds, { name }) => {
      using target = new TempDirectory("extract");
      const paths = ["/base/with space", "/empty"];
      await kinds.must(["extract", name, ...paths, "-o", target.join("part")]);
      await kinds.must(["extract", name, "/base/1", "-o", target.join("one")]);
      await kinds.must(["extract", name, "/PG_VERSION", "-o", target.join("file")]);
      return Object.keys(contentOf(target.path)).slice(1);
    },
    answer: [
      ...["/file", "/one", "/one/16384", "/one/empty"],
      ...["/part", "/part/base", "/part/base/with space", "/part/empty"],
    ],
  },
  "restore, and again over what was changed": {
    ask: async (kinds, { name }) => {
      using target = new TempDirectory("restore");
      const restore = async (...options: string[]): Promise<Record<string, number>> =>
        JSON.parse(
          await kinds.must(["restore", name, target.join("all"), "--format", "json", ...options]),
        );
      const whole = await restore();
      Deno.truncateSync(target.join("all/base/1/16384"), 8192 * 8);
      const again = await restore("--incremental");
      return [
        contentOf(target.join("all")),
        [whole["files"], whole["bytes_written"]],
        [again["files"], again["bytes_written"], again["bytes_unchanged"]],
      ];
    },
    answer: [contentOfTree((path) => path), [4, 73_739], [4, 8192, 65_547]],
  },
  "cp into a directory": {
    ask: async (kinds, { name }) => {
      using target = new TempDirectory("cp");
      Deno.chmodSync(target.path, 0o700);
      await kinds.must(["cp", name, "/base", "/PG_VERSION", target.path]);
      return contentOf(target.path);
    },
    answer: contentOfTree((path) => path.startsWith("/empty") ? undefined : path),
  },
  "cp of one entry, to a new name": {
    ask: async (kinds, { name }) => {
      using target = new TempDirectory("cp");
      await kinds.must(["cp", name, "/base/1", target.join("new")]);
      await kinds.must(["cp", name, "/PG_VERSION", target.join("file")]);
      return Object.keys(contentOf(target.path));
    },
    answer: ["/", "/file", "/new", "/new/16384", "/new/empty"],
  },
  "cp of several in place of what is no directory": {
    ask: async (kinds, { name }) => {
      const { code, stderr } = await kinds.run(["cp", name, "/base", "/empty", "/nonexistent/x"]);
      return [code, /it is not a directory/.test(stderr)];
    },
    answer: [2, true],
  },
  "info": {
    ask: async (kinds, { name }) => {
      const { content, mountable, why } = JSON.parse(
        await kinds.must(["info", name, "--format", "json"]),
      );
      return { content, mountable, why };
    },
    answer: { content: "tree", mountable: true, why: null },
  },
};

Deno.test("a verb answers the same whatever kind of source the tree is kept in", async (test) => {
  await using kinds = await SourceKinds.create();
  for (const [question, { ask, answer }] of Object.entries(QUESTIONS)) {
    await test.step(question, async () => {
      const answers = kinds.kinds.map(async (source) => {
        assert.deepEqual(await ask(kinds, source), answer, source.title);
      });
      await Promise.all(answers);
    });
  }
  await test.step("diff between any two", async () => {
    await Promise.all(kinds.kinds.map(async (source, index) => {
      const other = kinds.kinds[(index + 1) % kinds.kinds.length]!;
      assert.equal(await kinds.must(["diff", source.name, other.name]), "", source.title);
    }));
  });
  await test.step("diff with what has changed", async () => {
    Deno.writeTextFileSync(`${kinds.tree}/PG_VERSION`, "17\n");
    Deno.removeSync(`${kinds.tree}/empty`);
    kinds.archive(["changed.pxar"]);
    const changed = kinds.join("changed.pxar");
    await Promise.all(kinds.kinds.map(async ({ title, name }) => {
      const { code, stdout } = await kinds.run(["diff", name, changed, "--ignore", "mtime"]);
      assert.equal(code, 1, title);
      assert.equal(stdout, `M "/PG_VERSION" content\n- "/empty"\n`, title);
    }));
  });
  await test.step("check of what is damaged", async () => {
    await Promise.all(
      kinds.damage().map(async ({ title, name }) => {
        const { code, stdout, stderr } = await kinds.run(["check", name, "--format", "json"]);
        assert.equal(code, 1, title);
        assert.equal(stderr, "", title);
        const { ok, findings } = JSON.parse(stdout);
        assert.equal(ok, false, title);
        assert.ok(findings.length > 0, title);
      }),
    );
  });
});
