/**
 * Sequential and random reads of one relation on the mount and on a plain copy.
 *
 * @module
 */

import { dropCaches } from "../host.ts";
import { measureReads, type ReadMode, type ReadRate } from "../read_rates.ts";
import type { Report } from "../report.ts";

const ROUNDS = 2;

/** The same file on both sides. */
export interface FilePair {
  readonly mount: string;
  readonly plain: string;
}

interface ColdAndRepeated {
  readonly cold: ReadRate;
  readonly repeated: ReadRate;
}

async function coldThenRepeated(
  mode: ReadMode,
  path: string,
  clients: number,
): Promise<ColdAndRepeated> {
  await dropCaches();
  const cold = await measureReads(mode, path, clients);
  // By new processes that open the file anew: the page cache must outlive the open.
  const repeated = await measureReads(mode, path, clients);
  return { cold, repeated };
}

function best(rounds: readonly ColdAndRepeated[], rate: (round: ColdAndRepeated) => number) {
  return Math.max(...rounds.map(rate));
}

/** Measures both sides by turns and adds the best of {@link ROUNDS} for each. */
export async function benchmarkReads(files: FilePair, report: Report): Promise<void> {
  for (const mode of ["sequential", "random"] as const) {
    for (const clients of mode === "random" ? [1, 4] : [1, 2]) {
      const plain: ColdAndRepeated[] = [];
      const mount: ColdAndRepeated[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        plain.push(await coldThenRepeated(mode, files.plain, clients));
        mount.push(await coldThenRepeated(mode, files.mount, clients));
      }
      const who = clients === 1 ? "1 reader" : `${clients} readers`;
      const isRandom = mode === "random";
      const rate = (kind: "cold" | "repeated") => (round: ColdAndRepeated) =>
        isRandom ? round[kind].readsPerSecond : round[kind].megabytesPerSecond;
      const name = isRandom ? "random 8 KiB reads" : "sequential read";
      const unit = isRandom ? "reads/s" : "MB/s";
      report.add({
        name: `cold ${name}, ${who}`,
        unit,
        mount: best(mount, rate("cold")),
        plain: best(plain, rate("cold")),
        target: isRandom ? ">= 0.7" : undefined,
      });
      report.add({
        name: `repeated ${name}, ${who}`,
        unit,
        mount: best(mount, rate("repeated")),
        plain: best(plain, rate("repeated")),
        target: ">= 0.8",
      });
    }
  }
}
