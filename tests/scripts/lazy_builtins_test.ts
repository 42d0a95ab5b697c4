import assert from "node:assert/strict";
import { makeBuiltinsLazy } from "../../scripts/executable/lazy_builtins.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const BUNDLE = `import { createRequire as __req } from "node:module";
var __require = __req(import.meta.url);
import fs from "node:fs";
import * as path2 from "node:path";
import process from "node:process";
import { EventEmitter } from "node:events";
import events from "node:events";
import { dirname as dir, join } from "node:path";
import { constants } from "node:zlib";
console.log(path2.join("a", "b"), fs.existsSync("/"), "constants" in fs, __require("node:os").EOL.length);
class Command extends EventEmitter {
  name = "me";
}
const command = new Command().on("a", function (...args) { console.log(this.name, ...args); });
command.on("a", () => console.log("second"));
console.log(command.emit("a", 1, 2), command.emit("b"), command.listenerCount("a"), command.listenerCount("b"));
console.log(typeof EventEmitter, typeof new events(), dir("/a/b"), join("c", "d"), constants.Z_NO_FLUSH, process.pid > 0);
`;

Deno.test("makeBuiltinsLazy() makes all lazy but classes, and replaces that of event emitters", () => {
  const text = makeBuiltinsLazy(BUNDLE);
  assert(!text.includes('from "node:fs"'));
  assert(!text.includes('from "node:path"'));
  assert(!text.includes('from "node:module"'));
  assert(!text.includes('from "node:zlib"'));
  assert(!text.includes("import { EventEmitter }"));
  assert(text.includes('import events from "node:events";'));
});

Deno.test("makeBuiltinsLazy() leaves a bundle without builtins alone", () => {
  const plain = 'var text = `\nimport x from "y";`;\n';
  assert.equal(makeBuiltinsLazy(plain), plain);
});

Deno.test("makeBuiltinsLazy() gives a program that does the same", async () => {
  using place = new TempDirectory("lazy");
  const outputs = [];
  for (
    const [name, text] of [["eager.js", BUNDLE], ["lazy.js", makeBuiltinsLazy(BUNDLE)]] as const
  ) {
    Deno.writeTextFileSync(place.join(name), text);
    const command = denoRunCommand(["--allow-read", "--allow-sys"], place.join(name));
    outputs.push((await runCommand(command, { timeoutMs: 20_000 })).stdout);
  }
  assert.equal(outputs[1], outputs[0]);
  assert.equal(
    outputs[0],
    "a/b true true 1\nme 1 2\nsecond\ntrue false 2 0\nfunction object /a c/d 0 true\n",
  );
});
