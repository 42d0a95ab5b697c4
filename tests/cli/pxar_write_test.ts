import assert from "node:assert/strict";
import { keyCrypto } from "#src/codecs/key_crypto.ts";
import { parseKeyFile, unlockKey } from "#src/pbs/format/key_file.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { ALL_PERMISSIONS, fixture, mustPxar, pxar, pxarShell } from "./_pxar.ts";

const IS_ROOT = Deno.uid() === 0;

function sameFiles(a: string, b: string): boolean {
  return Deno.readFileSync(a).toHex() === Deno.readFileSync(b).toHex();
}

function names(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}

/** A small tree to archive. */
function makeTree(home: TempDirectory): string {
  const root = home.join("tree");
  Deno.mkdirSync(`${root}/sub/deep`, { recursive: true });
  Deno.writeTextFileSync(`${root}/a.txt`, "hello");
  Deno.writeTextFileSync(`${root}/sub/b.log`, "log");
  Deno.writeTextFileSync(`${root}/sub/deep/c`, "c".repeat(5000));
  Deno.linkSync(`${root}/a.txt`, `${root}/sub/hard`);
  Deno.symlinkSync("a.txt", `${root}/link`);
  return root;
}

Deno.test("pbkfs pxar create and extract give the tree back", async () => {
  using home = new TempDirectory("pxar");
  const tree = makeTree(home);
  for (const name of ["t.pxar", "t.mpxar"]) {
    const archive = home.join(name);
    assert.equal(await mustPxar(["create", archive, tree], ALL_PERMISSIONS), "");
    const target = home.join(`out-${name}`);
    await mustPxar(["extract", archive, target], ALL_PERMISSIONS);
    assert.equal((await pxar(["diff", archive, target])).stdout, "");
    assert.equal(await mustPxar(["diff", archive, target], ALL_PERMISSIONS), "");
    const { ino, nlink } = Deno.lstatSync(`${target}/a.txt`);
    assert.equal(nlink, 2);
    assert.equal(Deno.lstatSync(`${target}/sub/hard`).ino, ino);
  }
  assert.deepEqual(names(home.path), [
    "out-t.mpxar",
    "out-t.pxar",
    "t.mpxar",
    "t.ppxar",
    "t.pxar",
    "tree",
  ]);
  assert.equal(Deno.lstatSync(home.join("t.pxar")).mode! & 0o777, 0o640);
});

Deno.test("pbkfs pxar create makes the archive exclusively, and nothing when it fails", async () => {
  using home = new TempDirectory("pxar");
  const tree = makeTree(home);
  const archive = home.join("t.pxar");
  await mustPxar(["create", archive, tree], ALL_PERMISSIONS);
  const again = await pxar(["create", archive, tree, "--format", "json"], ALL_PERMISSIONS);
  assert.equal(again.code, 1);
  assert.equal(JSON.parse(again.stderr).code, "EEXIST");
  const dry = ["create", archive, tree, "--dry-run"];
  assert.match((await pxar(dry, ALL_PERMISSIONS)).stderr, /EEXIST/);
  await mustPxar([...dry, "--overwrite"], ALL_PERMISSIONS);
  await mustPxar(["create", archive, tree, "--overwrite"], ALL_PERMISSIONS);
  const missing = await pxar(["create", home.join("x.mpxar"), home.join("nope")], ALL_PERMISSIONS);
  assert.equal(missing.code, 1);
  const pattern = ["create", home.join("x.pxar"), tree, "--exclude", "[bad"];
  assert.equal((await pxar(pattern, ALL_PERMISSIONS)).code, 2);
  assert.deepEqual(names(home.path), ["t.pxar", "tree"]);
});

Deno.test("pbkfs pxar create replaces regular files only, and leaves nothing where it cannot", async () => {
  using home = new TempDirectory("pxar");
  const tree = makeTree(home);
  Deno.mkdirSync(home.join("dir.pxar"));
  Deno.symlinkSync("/dev/null", home.join("link.pxar"));
  for (const permissions of [ALL_PERMISSIONS, ["--allow-read", "--allow-write"]]) {
    for (const name of ["dir.pxar", "link.pxar"]) {
      for (const args of [[], ["--dry-run"]]) {
        const words = ["create", home.join(name), tree, "--overwrite", ...args];
        const { code, stderr } = await pxar(words, permissions);
        assert.equal(code, 1);
        assert.match(stderr, /Cannot replace \(not a regular file\) ".*": EEXIST/);
      }
    }
    const long = home.join("x".repeat(250) + ".pxar");
    for (const _ of ["made", "replaced"]) {
      await mustPxar(["create", long, tree, "--overwrite"], permissions);
    }
    Deno.removeSync(long);
  }
  assert.deepEqual(names(home.path), ["dir.pxar", "link.pxar", "tree"]);
});

Deno.test("pbkfs pxar works on archives below /dev and with names that are not UTF-8", async () => {
  using home = new TempDirectory("pxar");
  const tree = makeTree(home);
  const directories = [
    "$(mktemp -d /dev/shm/pbkfs-pxar-XXXXXX)",
    `${home.path}/$(printf 'n\\377')`,
  ];
  for (const directory of directories) {
    const { code, stdout, stderr } = await pxarShell(
      `set -e
      d="${directory}"; mkdir -p "$d"; trap 'rm -r "$d"' EXIT
      for a in "$d/t.pxar" "$d/t.mpxar"; do
        $PXAR create "$a" ${tree}
        $PXAR create "$a" ${tree} --overwrite
        $PXAR ls "$a" /sub/deep
        $PXAR cat "$a" /sub/hard
        $PXAR stat "$a" / >/dev/null
        $PXAR verify "$a"
        $PXAR list "$a" | tail -n 1
        echo /sub/b.log > "$d/list"
        $PXAR extract "$a" "$d/out" --files-from "$d/list"
        $PXAR diff "$a" "$d/out" --ignore mtime | wc -l
        $PXAR extract "$a" /a.txt -o "$d/out"
        $PXAR cp "$a" /sub -o "$d/part.pxar" --overwrite
        ls -A "$d/out"
        rm -r "$d/out"
      done
      $PXAR diff "$d/t.pxar" "$d/t.mpxar"
      $PXAR merge "$d/t.pxar" "$d/t.mpxar" --conflict last -o "$d/all.pxar"
      cmp "$d/all.pxar" "$d/t.pxar"
      echo secret > "$d/password"
      $PXAR keygen "$d/key" --password-file "$d/password"
      ls -A "$d"`,
      ALL_PERMISSIONS,
    );
    assert.equal(stderr, "");
    assert.equal(code, 0);
    const once = ["c", 'hello"/sub/hard"', "5", "a.txt", "sub"];
    const files = "all.pxar key list part.pxar password t.mpxar t.ppxar t.pxar".split(" ");
    assert.deepEqual(stdout.trim().split("\n"), [...once, ...once, ...files]);
  }
});

Deno.test("pbkfs pxar create leaves out what is excluded and shows what it does", async () => {
  using home = new TempDirectory("pxar");
  const tree = makeTree(home);
  const archive = home.join("t.pxar");
  const args = ["create", archive, tree, "--exclude", "*.log", "--exclude=/sub/deep"];
  const dry = JSON.parse(
    await mustPxar([...args, "--dry-run", "--format", "json"], ALL_PERMISSIONS),
  );
  assert.equal(dry.excluded, 2);
  assert.deepEqual(names(home.path), ["tree"]);
  const { stderr } = await pxar([...args, "--verbose"], ALL_PERMISSIONS);
  assert.match(stderr, /^"\/a\.txt"$/m);
  assert.equal(
    await mustPxar(["ls", "-R", archive]),
    "/\n/a.txt\n/link\n/sub\n/sub/hard\n/.pxarexclude-cli\n",
  );
});

Deno.test({
  name: "pbkfs pxar create says what could not be read",
  ignore: !IS_ROOT,
  fn: async () => {
    using home = new TempDirectory("pxar");
    const tree = makeTree(home);
    const archive = home.join("t.pxar");
    Deno.chmodSync(`${tree}/sub/b.log`, 0);
    Deno.chmodSync(home.path, 0o777);
    const script = `runuser -u nobody -- $PXAR create ${archive} ${tree}`;
    // Packages only: what Deno has compiled is kept there as well and grows without bound.
    const cache = `mkdir ${home.join("cache")} && ` +
      "cp -r ${DENO_DIR:-$HOME/.cache/deno}/npm " + home.join("cache") +
      ` && chmod -R a+rwX ${home.join("cache")} && export DENO_DIR=${home.join("cache")} && `;
    const { code, stderr } = await pxarShell(cache + script, ALL_PERMISSIONS);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /error: .*\/sub\/b\.log/);
    assert.match(stderr, /Not everything was archived: 1 problem/);
    assert.doesNotMatch(await mustPxar(["ls", "-R", archive]), /b\.log/);
  },
});

Deno.test("pbkfs pxar archives to standard output and restores from standard input", async () => {
  using home = new TempDirectory("pxar");
  const tree = makeTree(home);
  const script = `$PXAR create - ${tree} | $PXAR extract - ${home.join("out")}`;
  const { code, stderr } = await pxarShell(script, ALL_PERMISSIONS);
  assert.equal(stderr, "");
  assert.equal(code, 0);
  assert.equal(Deno.readTextFileSync(home.join("out/sub/hard")), "hello");
});

Deno.test("pbkfs pxar extract restores what patterns select", async () => {
  using home = new TempDirectory("pxar");
  const archive = home.join("t.pxar");
  await mustPxar(["create", archive, makeTree(home)], ALL_PERMISSIONS);
  await mustPxar(
    ["extract", archive, home.join("one"), "--pattern", "*.log", "-pattern", "/sub/deep"],
    ALL_PERMISSIONS,
  );
  assert.deepEqual(names(home.join("one")), ["sub"]);
  assert.deepEqual(names(home.join("one/sub")), ["b.log", "deep"]);
  Deno.writeTextFileSync(home.join("list"), "# comment\n\n*.txt\n");
  await mustPxar(
    ["x", "--files-from", home.join("list"), archive, home.join("two")],
    ALL_PERMISSIONS,
  );
  assert.deepEqual(names(home.join("two")), ["a.txt"]);
});

Deno.test("pbkfs pxar extract -o restores one file, one directory, or several paths", async () => {
  using home = new TempDirectory("pxar");
  const archive = home.join("t.pxar");
  await mustPxar(["create", archive, makeTree(home)], ALL_PERMISSIONS);
  const extract = (...args: string[]) => mustPxar(["extract", ...args], ALL_PERMISSIONS);
  await extract(archive, "/sub/hard", "-o", home.join("file"));
  assert.equal(Deno.readTextFileSync(home.join("file")), "hello");
  await extract("-o", home.join("file2"), archive, "sub/hard");
  assert.ok(sameFiles(home.join("file"), home.join("file2")));
  await extract(archive, "/sub", "-o", home.join("dir"));
  assert.deepEqual(names(home.join("dir")), ["b.log", "deep", "hard"]);
  await extract(archive, "/a.txt", "-o", home.join("dir"));
  assert.deepEqual(names(home.join("dir")), ["a.txt", "b.log", "deep", "hard"]);
  await extract(archive, "/a.txt", "/sub/deep", "-o", home.join("several"));
  assert.deepEqual(names(home.join("several")), ["a.txt", "sub"]);
  assert.equal(await extract(archive, "/a.txt", "-o", "-"), "hello");
  assert.equal(await extract(archive, "/a.txt", "-o-"), "hello");
});

Deno.test("pbkfs pxar extract keeps what is there unless told otherwise", async () => {
  using home = new TempDirectory("pxar");
  const archive = home.join("t.pxar");
  await mustPxar(["create", archive, makeTree(home)], ALL_PERMISSIONS);
  const target = home.join("out");
  Deno.mkdirSync(`${target}/sub`, { recursive: true });
  Deno.writeTextFileSync(`${target}/a.txt`, "mine");
  const refused = await pxar(["extract", archive, target, "--format", "json"], ALL_PERMISSIONS);
  assert.equal(refused.code, 1);
  const lines = refused.stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.ok(lines.some(({ type, path }) => type === "problem" && path === "/a.txt"));
  assert.equal(lines.at(-1).code, "partial");
  assert.equal(JSON.parse(refused.stdout).type, "summary");
  assert.equal(Deno.readTextFileSync(`${target}/a.txt`), "mine");
  await mustPxar(
    ["extract", archive, target, "--overwrite", "true", "--allow-existing-dirs=1"],
    ALL_PERMISSIONS,
  );
  assert.equal(Deno.readTextFileSync(`${target}/a.txt`), "hello");
  const strict = await pxar(["extract", archive, target, "--strict"], ALL_PERMISSIONS);
  assert.equal(strict.code, 1);
});

Deno.test("pbkfs pxar extract --dry-run writes nothing, --prelude-target the prelude", async () => {
  using home = new TempDirectory("pxar");
  const args = ["extract", fixture("prelude.mpxar"), home.join("out")];
  await mustPxar([...args, "--dry-run", "--no-owner"], ALL_PERMISSIONS);
  assert.deepEqual(names(home.path), []);
  await mustPxar([...args, "--prelude-target", home.join("prelude")], ALL_PERMISSIONS);
  assert.match(Deno.readTextFileSync(home.join("prelude")), /^\{"exclude-patterns":/);
});

Deno.test("pbkfs pxar cp copies whole archives byte for byte, in either format", async () => {
  using home = new TempDirectory("pxar");
  const cp = (...args: string[]) => mustPxar(["cp", ...args], ALL_PERMISSIONS);
  await cp(fixture("kinds.mpxar"), "/", "-o", home.join("k.pxar"));
  assert.ok(sameFiles(home.join("k.pxar"), fixture("kinds.pxar")));
  await cp("-format", "v2", "-o", home.join("k.mpxar"), fixture("kinds.pxar"));
  assert.ok(sameFiles(home.join("k.mpxar"), fixture("kinds.mpxar")));
  assert.ok(sameFiles(home.join("k.ppxar"), fixture("kinds.ppxar")));
  await cp(fixture("kinds.pxar"), "-o", home.join("a"), "--payload-output", home.join("b"));
  assert.ok(sameFiles(home.join("a"), fixture("kinds.mpxar")));
  assert.ok(sameFiles(home.join("b"), fixture("kinds.ppxar")));
  const wrong = ["cp", fixture("kinds.pxar"), "-o", home.join("x.pxar"), "--format", "v2"];
  assert.equal((await pxar(wrong, ALL_PERMISSIONS)).code, 2);
});

Deno.test("pbkfs pxar cp makes parents, renames, and puts several paths into a directory", async () => {
  using home = new TempDirectory("pxar");
  const list = async (...args: string[]) => {
    const archive = home.join("c.pxar");
    await mustPxar(
      ["cp", fixture("kinds.pxar"), ...args, "-o", archive, "--overwrite"],
      ALL_PERMISSIONS,
    );
    return (await mustPxar(["ls", "-R", archive])).trimEnd().split("\n");
  };
  assert.deepEqual(await list("/linkdir/a-original", "/new/name"), ["/", "/new", "/new/name"]);
  assert.deepEqual(await list("/linkdir/a-original"), ["/", "/linkdir", "/linkdir/a-original"]);
  assert.deepEqual(await list("/fcaps", "/fifo", "/in"), ["/", "/in", "/in/fcaps", "/in/fifo"]);
});

Deno.test("pbkfs pxar cp copies from standard input to standard output", async () => {
  const { stdout, stderr } = await pxarShell(
    `$PXAR cp - /linkdir -o - < ${fixture("kinds.pxar")} | $PXAR ls -R -`,
    ALL_PERMISSIONS,
  );
  assert.equal(stderr, "");
  assert.equal(stdout, "/\n/linkdir\n/linkdir/a-original\n/linkdir/b-hardlink\n");
});

Deno.test("pbkfs pxar cp finds a link's file on standard input where that is a file", async () => {
  const archive = fixture("hardlinks.pxar");
  const listing = JSON.parse(await mustPxar(["ls", "-R", archive, "--format", "json"]));
  const link = listing.find((entry: { type: string }) => entry.type === "hardlink").path;
  const copy = `$PXAR cp - ${link} -o -`;
  const found = await pxarShell(`${copy} < ${archive} | $PXAR ls -R -`, ALL_PERMISSIONS);
  assert.deepEqual(found, { code: 0, stdout: `/\n${link}\n`, stderr: "" });
  const piped = await pxarShell(`cat ${archive} | ${copy} > /dev/null`, ALL_PERMISSIONS);
  assert.equal(piped.code, 2);
  assert.match(piped.stderr, /its file "[^"]+" is not copied/);
});

Deno.test("pbkfs pxar cp tells that version 1 has no place for a prelude", async () => {
  using home = new TempDirectory("pxar");
  const split = home.join("a.mpxar");
  Deno.mkdirSync(home.join("tree"));
  await mustPxar(["create", split, home.join("tree"), "--exclude", "x"], ALL_PERMISSIONS);
  await mustPxar(["cp", split, "-o", home.join("b.mpxar")], ALL_PERMISSIONS);
  const text = await pxar(["cp", split, "-o", home.join("c.pxar")], ALL_PERMISSIONS);
  assert.equal(text.code, 0);
  assert.match(text.stderr, /^warning: The prelude is left out/);
  const args = ["cp", split, "-o", home.join("d.pxar"), "--format", "json"];
  assert.equal(JSON.parse(await mustPxar(args, ALL_PERMISSIONS)).prelude_left_out, true);
});

Deno.test("pbkfs pxar merge unites several archives by a policy", async () => {
  using home = new TempDirectory("pxar");
  const sources = [fixture("onefile.pxar"), fixture("hardlinks.mpxar")];
  const merged = home.join("m.pxar");
  const merge = (...args: string[]) =>
    pxar(["merge", ...sources, "-o", merged, ...args], ALL_PERMISSIONS);
  const { code, stderr } = await merge();
  assert.equal(stderr, "");
  assert.equal(code, 0);
  const paths = (await mustPxar(["ls", "-R", merged])).trimEnd().split("\n");
  for (const source of sources) {
    for (const path of (await mustPxar(["ls", "-R", source])).trimEnd().split("\n")) {
      assert.ok(paths.includes(path), path);
    }
  }
  assert.equal(await mustPxar(["verify", merged]), "");
  sources.push(merged);
  const conflict = await merge("--overwrite", "--format", "json");
  assert.equal(conflict.code, 1);
  assert.equal(JSON.parse(conflict.stderr).code, "EEXIST");
  assert.equal((await merge("--overwrite", "--conflict", "last")).code, 0);
});

Deno.test("pbkfs pxar keygen makes key files", async () => {
  using home = new TempDirectory("pxar");
  const key = unlockKey(parseKeyFile(await mustPxar(["keygen"])), undefined, keyCrypto);
  assert.equal(key.length, 32);
  const path = home.join("key.json");
  const args = ["keygen", path, "-password=secret", "--kdf", "pbkdf2", "--hint", "it"];
  await mustPxar(args, ALL_PERMISSIONS);
  assert.equal(Deno.lstatSync(path).mode! & 0o777, 0o600);
  const file = parseKeyFile(Deno.readTextFileSync(path));
  assert.equal(file.hint, "it");
  assert.equal(unlockKey(file, new TextEncoder().encode("secret"), keyCrypto).length, 32);
  assert.equal((await pxar(args, ALL_PERMISSIONS)).code, 1);
  for (
    const wrong of [["--kdf", "scrypt"], ["--hint", "x"], ["--kdf", "none", "--password", "x"]]
  ) {
    assert.equal((await pxar(["keygen", ...wrong])).code, 2, wrong.join(" "));
  }
});

Deno.test("pbkfs pxar refuses wrong usage", async () => {
  const archive = fixture("onefile.pxar");
  const cases: [string[], RegExp][] = [
    [["nope"], /unknown command/],
    [["ls"], /missing required argument 'archive'/],
    [["ls", archive, "--nope"], /unknown option/],
    [["cp", archive, "/hello.txt"], /-o\/--output is required/],
    [["extract", archive, "a", "b"], /several targets/],
    [["extract", archive, "-o", "x"], /needs the path/],
    [["extract", "-", "/x", "-o", "x"], /standard input/],
    [["stat", "-", "/x"], /standard input/],
    [["cp", archive, "-o", "x", "--format", "v3"], /v1, v2, text, json/],
    [["cat", archive, "/a/../b"], /not a name/],
    [["mount", archive], /missing required argument/],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await pxar(args);
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
    assert.equal(stdout, "");
    assert.match(stderr, /^pbkfs error: /);
    assert.match(stderr, message);
  }
});

Deno.test("pbkfs pxar escapes in errors what could control a terminal", async () => {
  using home = new TempDirectory("pxar");
  Deno.mkdirSync(home.join("tree"));
  Deno.symlinkSync("\x1b]0;title\x07", home.join("tree/\x1b[31mred"));
  const archive = home.join("a.pxar");
  await mustPxar(["create", archive, home.join("tree")], ALL_PERMISSIONS);
  const { code, stderr } = await pxar(["cat", archive, "/\x1b[31mred"]);
  assert.equal(code, 1);
  assert.match(stderr, /Cannot read "\/\\u\{1b\}\[31mred": .*"\\u\{1b\}\]0;title\\u\{7\}"/);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(stderr, /[\x00-\x09\x0b-\x1f]/);
});
