/**
 * Forms of reports that are written to files.
 *
 * @module
 */

import type { DrillReport } from "../report.ts";
import { formatHtml } from "./html.ts";
import { formatJunit } from "./junit.ts";
import { formatPrometheus } from "./prometheus.ts";
import { formatText } from "./text.ts";

/** Makes a file of the drills of one run. */
export type FormatReports = (reports: readonly DrillReport[]) => string;

/** Name of a form. */
export type ReportForm = "text" | "json" | "junit" | "prometheus" | "html";

/** The forms by their names. */
export const REPORT_FORMS: Readonly<Record<ReportForm, FormatReports>> = {
  text: (reports) => reports.map(formatText).join("\n"),
  json: (reports) => JSON.stringify(reports, null, 2) + "\n",
  junit: formatJunit,
  prometheus: formatPrometheus,
  html: formatHtml,
};
