/**
 * Exchanges directories for symbolic links and back, as fast as it can, until its standard input
 * ends.
 *
 * Arguments: the directory whose directories are exchanged, where they are put meanwhile, what the
 * links lead to.
 *
 * @module
 */

const [target, aside, outside] = Deno.args as [string, string, string];

function ignoring(run: () => void): void {
  try {
    run();
  } catch {
    // The other process has made or removed it meanwhile.
  }
}

let isOver = false;
Deno.stdin.read(new Uint8Array(1)).then(() => isOver = true);
console.log("ready");
for (let round = 0; !isOver; round++) {
  for (let i = 0; i < 64; i++) {
    const name = `d${(round + i) % 4}`;
    ignoring(() => Deno.renameSync(`${target}/${name}`, `${aside}/${name}`));
    ignoring(() => Deno.symlinkSync(outside, `${target}/${name}`));
    ignoring(() => Deno.removeSync(`${target}/${name}`));
    ignoring(() => Deno.renameSync(`${aside}/${name}`, `${target}/${name}`));
  }
  await new Promise((resolve) => setTimeout(resolve, 0));
}
