/**
 * Restore drills: proof that a backup can be restored, by a server that starts on it in place.
 * {@link drill} is the way in; {@link REPORT_FORMS} and {@link writeReports} make files of what it
 * has found.
 *
 * @module
 */

export { drill, type DrillRequest } from "./drill.ts";
export { type AssertionFile, readAssertions } from "./assertions.ts";
export {
  CHECK_NAMES,
  type CheckName,
  type CheckResult,
  type DrillReport,
  type Finding,
  type Outcome,
} from "./report.ts";
export { type FormatReports, REPORT_FORMS, type ReportForm } from "./report/forms.ts";
export { type WantedReport, writeReports } from "./report/files.ts";
export type { ClusterRequest, RecoveryChoice } from "../server_on_source/mounted_cluster.ts";
export type { PostgresSettings, RecoveryTarget } from "#src/postgres/settings.ts";
export type { Credentials } from "#src/sources/source.ts";
