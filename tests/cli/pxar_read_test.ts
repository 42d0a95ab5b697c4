import assert from "node:assert/strict";
import { encodeFileName } from "#src/bytes/file_name.ts";
import { type ExpectedEntry, pxarFixtures } from "#tests/support/pxar_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { ALL_PERMISSIONS, fixture, mustPxar, pxar, pxarShell } from "./_pxar.ts";

interface ListedEntry {
  readonly path: string;
  readonly path_hex?: string;
  readonly link?: string;
  readonly link_hex?: string;
  readonly hardlink?: string;
  readonly hardlink_hex?: string;
}

function hex(name: string): string {
  return encodeFileName(name).toHex();
}

/**
 * What `ls --format json` must print for an entry of a fixture; content and the link's content are
 * not listed.
 */
function expectedListing(entry: ExpectedEntry): Record<string, unknown> {
  const { sha256: _, path_hex, link_hex, hardlink_hex, ...rest } = entry;
  const listed: Record<string, unknown> = { ...rest, path: path_hex };
  if (link_hex !== undefined) listed["link"] = link_hex;
  if (hardlink_hex !== undefined) {
    listed["hardlink"] = hardlink_hex;
    delete listed["size"];
  }
  if (rest.projid === 0) delete listed["projid"];
  return listed;
}

function normalized(entry: ListedEntry): Record<string, unknown> {
  const { path, path_hex: _p, link, link_hex: _l, hardlink, hardlink_hex: _h, ...rest } = entry;
  return {
    ...rest,
    path: hex(path),
    ...(link === undefined ? {} : { link: hex(link) }),
    ...(hardlink === undefined ? {} : { hardlink: hex(hardlink) }),
  };
}

for (const { name, path, entries } of pxarFixtures()) {
  Deno.test(`pbkfs pxar ls -R --format json shows ${name} as it is`, async () => {
    const listed: ListedEntry[] = JSON.parse(
      await mustPxar(["ls", "-R", "--format", "json", path]),
    );
    assert.deepEqual(listed.map(normalized), entries.map(expectedListing));
  });
}

Deno.test("pbkfs pxar ls prints sorted names, of the root or of a directory", async () => {
  const path = fixture("kinds.pxar");
  const names = (await mustPxar(["ls", path])).split("\n");
  assert.ok(names.includes("acl-dir") && names.includes("z-all"));
  assert.ok(!names.includes("inside"));
  assert.equal(await mustPxar(["ls", path, "/linkdir"]), "a-original\nb-hardlink\n");
  assert.equal(await mustPxar(["ls", path, "linkdir/a-original"]), "a-original\n");
  assert.equal(
    await mustPxar(["ls", "-R", path, "linkdir2"]),
    "/linkdir2\n/linkdir2/sub\n/linkdir2/sub/c-hardlink\n",
  );
});

Deno.test("pbkfs pxar list prints every path in quotation marks", async () => {
  const lines = (await mustPxar(["list", fixture("kinds.pxar")])).trimEnd().split("\n");
  assert.equal(lines[0], '"/"');
  assert.ok(lines.includes('"/new\\nline"'));
  assert.ok(lines.includes('"/latin1-\\xE9\\xFF"'));
  assert.ok(lines.includes('"/unicode-ü你😀"'));
});

Deno.test("pbkfs pxar ls -l prints mode, owner, time, size and target", async () => {
  const script = `TZ=UTC $PXAR ls -l ${fixture("kinds.pxar")}`;
  const { stdout, stderr } = await pxarShell(script);
  assert.equal(stderr, "");
  const lines = stdout.split("\n");
  for (
    const line of [
      '-rw-------   1000/0        2023-11-14 22:13:20        8 "/.hidden"',
      'drwxr-xr-x+  0/0           2023-11-14 22:13:20        0 "/acl-dir"',
      'brw-rw----   0/6           2023-11-14 22:13:20      8,1 "/blockdev"',
      'lrwxrwxrwx   0/0           2023-11-14 22:13:20        0 "/sym-rel" -> "linkdir/a-original"',
      '-rwsr-xr-x   0/0           2023-11-14 22:13:20        2 "/setuid"',
    ]
  ) assert.ok(lines.includes(line), `${line}\n${stdout}`);
});

Deno.test("pbkfs pxar reads archives from standard input", async () => {
  const path = fixture("kinds.pxar");
  const listed = await pxarShell(`cat ${path} | $PXAR list -`);
  assert.equal(listed.stdout, await mustPxar(["list", path]));
  const one = await pxarShell(`$PXAR cat - /fcaps < ${path}`);
  assert.equal(one.stdout, await mustPxar(["cat", path, "/fcaps"]));
  const link = await pxarShell(`cat ${path} | $PXAR cat - /linkdir/b-hardlink`);
  assert.equal(link.code, 1);
  assert.match(link.stderr, /hard link/);
});

Deno.test("pbkfs pxar looks up what it needs on standard input where that is a file", async () => {
  const path = fixture("kinds.pxar");
  const link = "/linkdir/b-hardlink";
  for (
    const [command, same] of [
      [`cat - ${link}`, ["cat", path, link]],
      [`extract - ${link} -o -`, ["cat", path, link]],
      ["find - --name '*hard*'", ["find", path, "--name", "*hard*"]],
      [`stat - ${link}`, ["stat", path, link]],
      ["verify -", ["verify", path]],
      [`diff - ${path}`, ["diff", path, path]],
      ["ls -R - /linkdir", ["ls", "-R", path, "/linkdir"]],
    ] as const
  ) {
    const stdout = await mustPxar(same);
    assert.deepEqual(await pxarShell(`$PXAR ${command} < ${path}`), {
      code: 0,
      stdout,
      stderr: "",
    });
  }
  const piped = await pxarShell(`cat ${path} | $PXAR find -`);
  assert.deepEqual([piped.code, piped.stdout], [2, ""]);
  assert.match(piped.stderr, /Cannot read standard input here, which is a pipe/);
});

Deno.test("pbkfs pxar stops when nobody reads its output any more", async () => {
  using home = new TempDirectory("pxar");
  Deno.mkdirSync(home.join("tree"));
  Deno.writeFileSync(home.join("tree/big.bin"), new Uint8Array(4 << 20));
  await mustPxar(["create", home.join("big.pxar"), home.join("tree")], ALL_PERMISSIONS);
  // The end of the archive never comes: only who stops in the middle ends at all.
  const { code, stdout, stderr } = await pxarShell(`
    mkfifo ${home.join("fifo")}
    exec 3<> ${home.join("fifo")}
    head -c 3000000 ${home.join("big.pxar")} >&3 &
    $PXAR cat - /big.bin < ${home.join("fifo")} | head -c 1 | wc -c
    kill $!
  `);
  assert.deepEqual([code, stdout.trim(), stderr], [0, "1", ""]);
});

Deno.test("pbkfs pxar says what is wrong when its output cannot be written", async () => {
  const path = fixture("kinds.pxar");
  const commands = [
    `ls -R ${path}`,
    `cat ${path} /linkdir/a-original`,
    `diff ${path} ${path} --help`,
  ];
  for (const command of commands) {
    assert.deepEqual(await pxarShell(`$PXAR ${command} > /dev/full`), {
      code: 1,
      stdout: "",
      stderr: 'pbkfs error: Cannot write "standard output": ENOSPC (no space left)\n',
    });
  }
  const other = fixture("hardlinks.pxar");
  const { code, stderr } = await pxarShell(
    `$PXAR diff ${path} ${other} --format json > /dev/full`,
  );
  assert.deepEqual([code, JSON.parse(stderr).code], [1, "ENOSPC"]);
});

Deno.test("pbkfs pxar cat writes contents, of hard links and of split archives too", async () => {
  for (const name of ["kinds.pxar", "kinds.mpxar", "kinds.go.mpxar"]) {
    const [a, b] = [
      await mustPxar(["cat", fixture(name), "/linkdir/a-original"]),
      await mustPxar(["cat", fixture(name), "/linkdir2/sub/c-hardlink"]),
    ];
    assert.ok(a.length > 1000);
    assert.equal(a, b);
  }
});

Deno.test("pbkfs pxar finds the payload of a split archive by option too", async () => {
  const directory = await Deno.makeTempDir({ prefix: "pbkfs-pxar-" });
  try {
    await Deno.copyFile(fixture("kinds.mpxar"), `${directory}/alone.mpxar`);
    const args = ["cat", `${directory}/alone.mpxar`, "/fcaps"];
    const missing = await pxar([...args, "--format", "json"]);
    assert.equal(missing.code, 1);
    assert.equal(JSON.parse(missing.stderr).code, "missing-payload");
    const payload = fixture("kinds.ppxar");
    const wanted = await mustPxar(["cat", fixture("kinds.pxar"), "/fcaps"]);
    assert.equal(await mustPxar([...args, "--payload", payload]), wanted);
    assert.equal(await mustPxar([...args, `-payload-input=${payload}`]), wanted);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("pbkfs pxar cat and ls fail for what is not there or no file", async () => {
  const path = fixture("kinds.pxar");
  const cases: [string[], RegExp, string][] = [
    [["cat", path, "/nope"], /Cannot find "\/nope"/, "not-found"],
    [["cat", path, "/linkdir"], /EISDIR/, "EISDIR"],
    [["cat", path, "/sym-rel"], /symbolic link to "linkdir\/a-original"/, "EINVAL"],
    [["ls", path, "/nope"], /Cannot find "\/nope"/, "not-found"],
    [["ls", "/nonexistent.pxar"], /ENOENT/, "ENOENT"],
  ];
  for (const [args, message, code] of cases) {
    const text = await pxar(args);
    assert.equal(text.code, 1);
    assert.match(text.stderr, message);
    const json = await pxar([...args, "--format=json"]);
    assert.equal(JSON.parse(json.stderr).code, code);
  }
});

Deno.test("pbkfs pxar stat tells all of an entry", async () => {
  const path = fixture("kinds.pxar");
  const text = await mustPxar(["stat", path, "/acl-file"]);
  assert.match(text, /ACL: user:1000:rwx/);
  const args = ["stat", path, "/linkdir/b-hardlink", "--format", "json"];
  const [link] = JSON.parse(await mustPxar(args));
  assert.equal(link.type, "hardlink");
  assert.equal(link.target.size, 4097);
});

Deno.test("pbkfs pxar find selects by name, type, size and time", async () => {
  const find = async (...args: string[]) => {
    const output = await mustPxar(["find", fixture("kinds.pxar"), ...args]);
    return output.split("\n").filter((line) => line !== "");
  };
  assert.deepEqual(await find("-n", "sym-*", "--type", "l"), [
    "/sym-abs",
    "/sym-dangling",
    "/sym-long",
    "/sym-nonutf8",
    "/sym-rel",
  ]);
  assert.deepEqual(await find("-t", "b,c"), ["/blockdev", "/chardev"]);
  assert.deepEqual(await find("/linkdir", "--size", "+4k"), [
    "/linkdir/a-original",
    "/linkdir/b-hardlink",
  ]);
  assert.deepEqual(await find("--older", "1961-01-01"), ["/old2-mtime"]);
  assert.deepEqual(await find("-t", "f", "--newer", "2090-01-01"), []);
  for (const wrong of [["-t", "x"], ["--size", "big"], ["--newer", "soon"], ["--mtime", "x"]]) {
    assert.equal((await pxar(["find", fixture("kinds.pxar"), ...wrong])).code, 2, wrong.join(" "));
  }
});

Deno.test("pbkfs pxar diff tells what differs, and says so by its exit code", async () => {
  const same = await pxar(["diff", fixture("kinds.pxar"), fixture("kinds.mpxar")]);
  assert.deepEqual(same, { code: 0, stdout: "", stderr: "" });
  const other = await pxar(["diff", fixture("kinds.pxar"), fixture("hardlinks.pxar")]);
  assert.equal(other.code, 1);
  assert.match(other.stdout, /^- "\/acl-file"$/m);
  const args = ["diff", fixture("kinds.pxar"), fixture("hardlinks.pxar"), "--format", "json"];
  const { stdout } = await pxar(args);
  assert.ok(JSON.parse(stdout).some((each: { type: string }) => each.type === "left-only"));
});

Deno.test("pbkfs pxar verify finds nothing in a healthy archive", async () => {
  for (const name of ["kinds.pxar", "kinds.mpxar", "reuse.mpxar", "v2inline.pxar"]) {
    assert.equal(await mustPxar(["verify", fixture(name)]), "", name);
  }
  const report = JSON.parse(await mustPxar(["verify", fixture("deep.pxar"), "--format", "json"]));
  assert.equal(report.ok, true);
});

Deno.test("pbkfs pxar takes options anywhere, with one dash, and with values where none is needed", async () => {
  const path = fixture("kinds.pxar");
  const wanted = await mustPxar(["ls", "-R", "--format", "json", path]);
  assert.equal(await mustPxar(["ls", path, "-format", "json", "-R"]), wanted);
  assert.equal(await mustPxar(["-format=json", "ls", path, "--recursive=yes"]), wanted);
  assert.equal(await mustPxar(["ls", "--recursive", "true", path, "--format=json"]), wanted);
  assert.equal(
    await mustPxar(["ls", "--recursive", "false", path]),
    await mustPxar(["ls", path]),
  );
});

Deno.test("pbkfs called as pxar is pbkfs pxar", async () => {
  const { stdout } = await pxarShell(
    `exec bash -c 'exec -a /somewhere/pxar \${PXAR% pxar} ls ${fixture("onefile.pxar")}'`,
  );
  assert.equal(stdout, "hello.txt\n");
  const help = await pxarShell(`exec bash -c 'exec -a pxar \${PXAR% pxar} --help'`);
  assert.match(help.stdout, /^Usage: pxar /);
});

Deno.test("pbkfs pxar takes names that are not UTF-8 on its command line", async () => {
  const path = fixture("kinds.pxar");
  const word = "$(printf '/latin1-\\351\\377')";
  const allowed = await pxarShell(`$PXAR cat ${path} "${word}" && $PXAR stat ${path} "${word}"`, [
    "--allow-read",
    "--allow-ffi",
  ]);
  assert.deepEqual([allowed.code, allowed.stderr], [0, ""]);
  assert.match(allowed.stdout, /File: "\/latin1-\\xE9\\xFF"/);
  const found = await mustPxar(["ls", "--format", "json", path, "/"]);
  assert.ok(found.includes('"path_hex":"2f6c6174696e312de9ff"'), found);
});

Deno.test("pbkfs pxar says where it looks for a payload stream that is not there", async () => {
  using home = new TempDirectory("pxar");
  const path = home.join("lone.mpxar");
  Deno.copyFileSync(fixture("onefile.mpxar"), path);
  for (const command of [`cat ${path} /hello.txt`, `cat - /hello.txt < ${path}`]) {
    const { code, stderr } = await pxarShell(`$PXAR ${command}`);
    assert.equal(code, 1);
    assert.match(stderr, /payload stream is not there .*: It is beside .* \(--payload\)/);
  }
});
