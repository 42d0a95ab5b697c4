/**
 * `pbkfs pbs benchmark`: how fast backups can be here.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addPlaceOptions, PLACE_ENVIRONMENT, type PlaceOptions } from "../../datastore/store.ts";
import { LOGIN_USES } from "../../datastore/store_uses.ts";
import { repositoryOf } from "../../options/repository.ts";
import {
  addFormatOptions,
  type FormatChoice,
  Output,
  OUTPUT_ENVIRONMENT,
} from "../../output/output.ts";
import type { BenchmarkResult, Speed } from "#src/usecases/datastore/benchmark.ts";

const MACHINE_TIME_MS = 1_000;
const UPLOAD_TIME_MS = 5_000;

const NAMES: readonly (readonly [keyof BenchmarkResult, string])[] = [
  ["tls", "TLS (maximal backup upload speed)"],
  ["sha256", "SHA256 checksum computation speed"],
  ["compress", "ZStd level 1 compression speed"],
  ["decompress", "ZStd level 1 decompression speed"],
  ["verify", "Chunk verification speed"],
  ["aes256_gcm", "AES256 GCM encryption speed"],
];

/** The command. */
export const benchmarkCommand: CommandModule<PlaceOptions & FormatChoice> = {
  uses: LOGIN_USES,

  describe() {
    const command = new Command("benchmark")
      .description("Measure how fast backups can be: this machine, and a server if one is named");
    return addHelpNotes(addFormatOptions(addPlaceOptions(command)), {
      examples: [
        { text: "This machine", line: "pbkfs pbs benchmark" },
        {
          text: "The way to a server, too",
          line: "pbkfs pbs benchmark --repository backup@pbs@pbs.example:main",
        },
      ],
      environment: { ...PLACE_ENVIRONMENT, ...OUTPUT_ENVIRONMENT },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { measureMachine, measureUploads } = await import(
      "#src/usecases/datastore/benchmark.ts"
    );
    const isNamed = (options.repository ?? context.environment("PBS_REPOSITORY") ?? "") !== "";
    const repository = isNamed ? repositoryOf(options, context) : undefined;
    let tls: Speed | undefined;
    if (repository?.kind === "server") {
      const { withServer } = await import("../../datastore/server.ts");
      const measured = await withServer(
        repository,
        options,
        context,
        (link) => measureUploads(link, repository.store, UPLOAD_TIME_MS),
      );
      tls = measured.tls;
      if (!output.isJson) {
        const { requests, seconds } = measured.upload;
        context.terminal.err(
          `Uploaded ${requests} chunks in ${Math.round(seconds)} seconds.\n` +
            `Time per request: ${Math.round(seconds * 1e6 / requests)} microseconds.\n`,
        );
      }
    }
    const machine = measureMachine(MACHINE_TIME_MS);
    const result: BenchmarkResult = tls === undefined ? machine : { tls, ...machine };
    output.value(result, () =>
      output.table(
        [{ title: "Name" }, { title: "Value" }],
        NAMES.map(([name, title]) => [title, formatSpeed(result[name])]),
      ));
    return 0;
  },
};

function formatSpeed(speed: Speed | undefined): string {
  if (speed === undefined) return "not tested";
  const percent = (speed.speed / speed.top * 100).toFixed(0);
  return `${(speed.speed / 1e6).toFixed(2)} MB/s (${percent}%)`;
}
