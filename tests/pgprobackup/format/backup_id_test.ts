import { equal } from "node:assert/strict";
import {
  canonicalBackupId,
  formatBackupId,
  parseBackupId,
} from "#src/pgprobackup/format/backup_id.ts";

Deno.test("formatBackupId() writes the start time in base 36", () => {
  equal(formatBackupId(Date.UTC(2026, 10, 21, 2, 1, 45) / 1000), "TOTXMX");
});

Deno.test("parseBackupId() accepts both cases and nothing else", () => {
  equal(parseBackupId("TOTXMX"), 1795226505);
  equal(parseBackupId("totxmx"), 1795226505);
  equal(parseBackupId("../etc"), undefined);
  equal(canonicalBackupId("totXmx"), "TOTXMX");
});
