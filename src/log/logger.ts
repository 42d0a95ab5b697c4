/**
 * The program's log: who may write what, and where it goes.
 *
 * Any module takes `logger("mount")` at load time and writes `log.info("text", { key: value })`;
 * nothing is written until a command has called {@link configureLog}. The main isolate has the only
 * log; FUSE workers report to it.
 *
 * @module
 */

import { configureSync, getLogger, type Logger } from "@logtape/logtape";
import type { LogLevelName } from "./level.ts";
import type { LogSink } from "./sinks.ts";

export type { Logger } from "@logtape/logtape";
export type { LogFormat } from "./format.ts";

const ROOT_CATEGORY = "pbkfs";

/** The logger of a part of the program; `span` is the name that lines start with. */
export function logger(span: string): Logger {
  return getLogger([ROOT_CATEGORY, span]);
}

/**
 * Makes loggers write records of `level` and above to `sink`. Replaces an earlier configuration.
 */
export function configureLog(sink: LogSink, level: LogLevelName): void {
  configureSync({
    reset: true,
    sinks: { main: sink.write },
    loggers: [
      { category: [ROOT_CATEGORY], sinks: ["main"], lowestLevel: level },
      // The library's own notes about itself.
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "error" },
    ],
  });
}
