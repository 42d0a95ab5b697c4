/**
 * Archives that have lost their end, and with it the table of the root: all that is there is found
 * all the same.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ArchiveMount, pbkfs } from "./_archive_mount.ts";

const NAMES = ["a", "dir", "dir/inner", "dir/inner/x", "dir/y", "z"];

function makeTruncated(home: ArchiveMount["home"]): { tree: string; make: Promise<string> } {
  const tree = home.join("tree");
  Deno.mkdirSync(`${tree}/dir/inner`, { recursive: true });
  for (const name of ["a", "dir/inner/x", "dir/y", "z"]) {
    Deno.writeTextFileSync(`${tree}/${name}`, name.repeat(10_000));
  }
  const make = async () => {
    const archive = home.join("cut.pxar");
    await pbkfs(["pxar", "create", archive, tree], true);
    // The root's table has four items of 24 bytes, its tail included, and a header.
    Deno.truncateSync(archive, Deno.statSync(archive).size - 40);
    return archive;
  };
  return { tree, make: make() };
}

Deno.test("an archive without the root's table is listed, searched and compared, and what is wrong is named once", async () => {
  await using mount = new ArchiveMount();
  const { tree, make } = makeTruncated(mount.home);
  const archive = await make;
  const found = await pbkfs(["pxar", "find", archive]);
  assert.equal(found.code, 1);
  assert.deepEqual(found.stdout.trim().split("\n"), ["/", ...NAMES.map((name) => `/${name}`)]);
  assert.match(found.stderr, /^error: "\/": Cannot read GOODBYE/);
  assert.equal(found.stderr.trim().split("\n").length, 2, found.stderr);
  const listed = await pbkfs(["pxar", "ls", archive, "/", "/dir"]);
  assert.deepEqual([listed.code, listed.stdout], [1, "a\ndir\nz\ninner\ny\n"]);
  assert.match(listed.stderr, /^error: "\/": Cannot read GOODBYE/);
  const cat = await pbkfs(["pxar", "cat", archive, "/dir/inner/x"], true);
  assert.equal(cat.stdout, "dir/inner/x".repeat(10_000));
  assert.equal((await pbkfs(["pxar", "cat", archive, "/missing"])).code, 1);
  Deno.writeTextFileSync(`${tree}/dir/y`, "Y".repeat(50_000));
  const compared = await pbkfs(["pxar", "diff", archive, tree, "--ignore", "mtime"]);
  assert.deepEqual([compared.code, compared.stdout], [2, 'M "/dir/y" content\n']);
  assert.match(compared.stderr, /^error: "\/": Cannot read GOODBYE.*\n$/);
});

/** Where an archive has the name, as its FILENAME has it. */
function offsetOfName(archive: Uint8Array, name: string): number {
  const bytes = new TextEncoder().encode(`${name}\0`);
  return archive.findIndex((_, at) => bytes.every((byte, index) => archive[at + index] === byte));
}

const HEADER_SIZE = 16;

Deno.test("a listing and an extraction go on behind damage in the middle of an archive, and name it", async (t) => {
  await using mount = new ArchiveMount();
  const tree = mount.home.join("tree");
  const names = ["one", "two", "three"].flatMap((directory) =>
    ["", "/file-1", "/file-2", "/file-3"].map((file) =>
      `/${directory}${file && `${file}-${directory}`}`
    )
  ).sort();
  for (const name of names) {
    if (name.includes("file")) Deno.writeTextFileSync(`${tree}${name}`, name.repeat(500));
    else Deno.mkdirSync(`${tree}${name}`, { recursive: true });
  }
  const archive = mount.home.join("t.pxar");
  await pbkfs(["pxar", "create", archive, tree], true);
  const whole = Deno.readFileSync(archive);
  const file = "file-2-three";
  const nameOffset = offsetOfName(whole, file);
  // Behind the name, its ENTRY of 40 bytes, and the header of the PAYLOAD.
  const payloadSizeOffset = nameOffset + file.length + 1 + HEADER_SIZE + 40 + 8;
  const cases: [string, (bytes: Uint8Array) => void, readonly string[]][] = [
    [
      "an entry of garbage",
      (bytes) => bytes.fill(0xff, nameOffset - HEADER_SIZE, nameOffset + 60),
      [`/three/${file}`],
    ],
    [
      // Read in order it leads into the middle of the next file.
      "a payload that says a wrong size",
      (bytes) => {
        const view = new DataView(bytes.buffer);
        const size = Number(view.getBigUint64(payloadSizeOffset, true));
        view.setBigUint64(payloadSizeOffset, BigInt(size + 700), true);
      },
      [],
    ],
    [
      "the table of a directory",
      (bytes) => {
        const next = offsetOfName(bytes, "two") - HEADER_SIZE;
        // Three entries, the tail, the header: read in order its items are passed over.
        const table = next - 4 * 24 - HEADER_SIZE;
        bytes.fill(0xff, table, table + HEADER_SIZE);
      },
      [],
    ],
  ];
  for (const [what, damage, lost] of cases) {
    await t.step(what, async () => {
      const bytes = whole.slice();
      damage(bytes);
      Deno.writeFileSync(archive, bytes);
      const wanted = ["/", ...names].filter((name) => !lost.includes(name));
      for (const command of [["ls", "-R"], ["list"]]) {
        const { code, stdout, stderr } = await pbkfs(["pxar", ...command, archive]);
        assert.deepEqual(stdout.trim().replaceAll('"', "").split("\n"), wanted);
        assert.equal(code, 1);
        assert.match(stderr, /^error: "\/three.*Cannot read .*offset \d+/);
        assert.equal(stderr.trim().split("\n").length, 2, stderr);
      }
      const target = mount.home.join("extracted");
      const extracted = await pbkfs(["pxar", "extract", archive, target]);
      assert.match(extracted.stderr, /^error: "\/three.*Cannot read .*offset \d+/);
      assert.deepEqual([extracted.code, extracted.stderr.trim().split("\n").length], [1, 2]);
      const isWrong = what === "a payload that says a wrong size";
      for (const name of wanted.filter((name) => name.includes("file"))) {
        if (isWrong && name === `/three/${file}`) continue;
        assert.equal(Deno.readTextFileSync(`${target}${name}`), name.repeat(500));
      }
      assert.deepEqual(
        [...Deno.readDirSync(`${target}/three`)].map(({ name }) => name).sort(),
        wanted.filter((name) => name.startsWith("/three/") && !(isWrong && name.endsWith(file)))
          .map((name) => name.slice("/three/".length)),
      );
      Deno.removeSync(target, { recursive: true });
      const { code, stdout } = await pbkfs(["pxar", "ls", archive]);
      assert.deepEqual([code, stdout], [1, "one\nthree\ntwo\n"]);
      const found = await pbkfs(["pxar", "find", archive]);
      // By the tables, an entry that leads into the next one is lost too.
      const isEntry = what !== "the table of a directory";
      const seenNames = wanted.filter((name) => !isEntry || name !== `/three/${file}`);
      assert.deepEqual(found.stdout.trim().replaceAll('"', "").split("\n"), seenNames);
      assert.equal(found.code, 1);
      if (!isEntry) return;
      assert.match(found.stderr, /^error: "\/three": Cannot read .*offset \d+/);
      for (const options of [[], ["--diff-dir", mount.home.join(`diff-${lost.length}`)]]) {
        assert.equal((await mount.mount(archive, options)).code, 0);
        const { stdout: seen } = await mount.sh(
          'ls "$1/three" 2>&1; cat "$1/three/file-2-three" 2>&1; true',
        );
        assert.match(seen, /file-1-three\nfile-3-three/);
        assert.equal(seen.match(/Input\/output error/g)?.length, 2, seen);
        if (options.length > 0) {
          // rm is told of the damage, too; what it has left is empty.
          const { stdout: left } = await mount.sh(
            'cd "$1" && ! rm -rf three 2>&1; rmdir three; ls; mkdir three && ls -A three',
          );
          assert.match(left, /Input\/output error\none\ntwo\n$/);
        }
        await pbkfs(["unmount", "-D", mount.root], true);
      }
    });
  }
});

Deno.test("a mount of an archive without the root's table shows what is there, and tells of the rest by EIO", async () => {
  await using mount = new ArchiveMount();
  const archive = await makeTruncated(mount.home).make;
  await mount.mount(archive);
  const { root } = mount;
  assert.equal(Deno.readTextFileSync(`${root}/z`), "z".repeat(10_000));
  assert.deepEqual([...Deno.readDirSync(`${root}/dir`)].map(({ name }) => name), ["inner", "y"]);
  const { stdout } = await mount.sh(`ls "${root}" 2>&1; echo "exit $?"`);
  assert.match(stdout, /^ls: .*Input\/output error$/m);
  assert.match(stdout, /^a\ndir\nz$/m);
  assert.match(stdout, /^exit [12]$/m);
  assert.throws(() => Deno.lstatSync(`${root}/missing`), /os error 5/);
});

Deno.test("the record of exclude options is no difference between an archive and its directory", async () => {
  await using mount = new ArchiveMount();
  const { tree, make } = makeTruncated(mount.home);
  await make;
  const archive = mount.home.join("excluded.pxar");
  await pbkfs(["pxar", "create", archive, tree, "--exclude", "*.none"], true);
  assert.match((await pbkfs(["pxar", "list", archive], true)).stdout, /pxarexclude-cli/);
  const { code, stdout } = await pbkfs(["pxar", "diff", archive, tree]);
  assert.deepEqual([code, stdout], [0, ""]);
});
