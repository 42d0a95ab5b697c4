/**
 * Reports in files.
 *
 * @module
 */

import { replaceFile, temporaryPathFor } from "#src/io/files/whole_file.ts";
import type { DrillReport } from "../report.ts";
import { REPORT_FORMS, type ReportForm } from "./forms.ts";

/** A report that is wanted. */
export interface WantedReport {
  /** What it is. */
  readonly form: ReportForm;
  /** Absolute. */
  readonly path: string;
}

/**
 * Writes all of them; whoever reads one meanwhile sees a former one or this one, whole.
 *
 * @throws {OsError}
 */
export function writeReports(
  reports: readonly DrillReport[],
  wanted: readonly WantedReport[],
): void {
  for (const { form, path } of wanted) {
    const text = new TextEncoder().encode(REPORT_FORMS[form](reports));
    replaceFile(path, temporaryPathFor(path), text, { mode: 0o644, isDurable: true });
  }
}
