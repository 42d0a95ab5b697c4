/**
 * Every kind of source, by the suite of all.
 */

import { EXAMPLES } from "./_examples.ts";
import { testSource } from "./source_conformance.ts";

for (const example of EXAMPLES) testSource(example);
