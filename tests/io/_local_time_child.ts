/**
 * Prints what times are by this process's zone, and whether that may be relied upon.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { checkTimeZone, localSeconds, localTime } from "#src/io/local_time.ts";

const times = Deno.args.map(Number).map((seconds) => {
  const time = localTime(seconds);
  return { ...time, isInvertible: Math.abs(localSeconds(time) - seconds) <= 3600 };
});
let problem: string | undefined;
try {
  checkTimeZone();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  problem = `${error.code}: ${error.message}`;
}
console.log(JSON.stringify({ times, problem }));
