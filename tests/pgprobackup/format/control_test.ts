import { deepEqual, equal, ok, throws } from "node:assert/strict";
import fc from "fast-check";
import { Failure, FormatError } from "#src/errors.ts";
import { parseBackupControl } from "#src/pgprobackup/format/control.ts";
import { parseInstanceConfig } from "#src/pgprobackup/format/instance_config.ts";
import { parseKeyValues } from "#src/pgprobackup/format/key_values.ts";

const PLACE = { path: "backup.control", backupId: "TOTXQL" };
const encode = (text: string) => new TextEncoder().encode(text);

const SAMPLE = `#Configuration
backup-mode = DELTA
stream = true
compress-alg = zlib
compress-level = 1
from-replica = false

#Compatibility
block-size = 8192
xlog-block-size = 8192
checksum-version = 1
program-version = 2.5.16
server-version = 15

#Result backup info
timelineid = 1
start-lsn = 0/4200028
stop-lsn = 0/4200168
start-time = '2026-11-21 02:03:57+00'
end-time = '2026-11-21 02:04:07+00'
recovery-xid = 1300
recovery-time = '2026-11-21 02:03:58+00'
data-bytes = 3576684
status = OK
parent-backup-id = 'TOTXPE'
primary_conninfo = 'user=postgres host=/run'
external-dirs = '/b:/a'
content-crc = 4003384971
`;

Deno.test("parseBackupControl() reads every field", () => {
  deepEqual(parseBackupControl(encode(SAMPLE), PLACE), {
    mode: "DELTA",
    status: "OK",
    isStream: true,
    isFromReplica: false,
    compressAlgorithm: "zlib",
    compressLevel: 1,
    blockSize: 8192,
    walBlockSize: 8192,
    hasDataChecksums: true,
    programVersion: "2.5.16",
    serverVersion: "15",
    timelineId: 1,
    startLsn: "0/4200028",
    stopLsn: "0/4200168",
    startTime: Date.UTC(2026, 10, 21, 2, 3, 57) / 1000,
    endTime: Date.UTC(2026, 10, 21, 2, 4, 7) / 1000,
    recoveryTime: Date.UTC(2026, 10, 21, 2, 3, 58) / 1000,
    recoveryXid: "1300",
    parentId: "TOTXPE",
    dataBytes: 3576684,
    externalDirectories: ["/a", "/b"],
    contentCrc: 4003384971,
  });
});

Deno.test("parseBackupControl() takes unknown keys, prefixes of modes, other time zones and content-crc 0", () => {
  const text = SAMPLE.replace("backup-mode = DELTA", "backup-mode = delt")
    .replace("02:03:57+00'", "04:33:57+02:30'")
    .replace("4003384971", "0") + "unknown-key = 5\n";
  const control = parseBackupControl(encode(text), PLACE);
  equal(control.mode, "DELTA");
  equal(control.startTime, Date.UTC(2026, 10, 21, 2, 3, 57) / 1000);
  equal(control.contentCrc, undefined);
});

Deno.test("parseBackupControl() refuses what is missing or impossible and says where", () => {
  const cases: [string, string, RegExp][] = [
    ["status = OK", "status = FINE", /status is "FINE"/],
    ["status = OK\n", "", /no status/],
    ["block-size = 8192\n", "", /no block-size/],
    ["block-size = 8192", "block-size = many", /block-size is "many"/],
    ["backup-mode = DELTA", "backup-mode = COPY", /backup-mode is "COPY"/],
    ["stream = true", "stream = maybe", /stream is "maybe"/],
    ["start-time = '2026-11-21", "start-time = '2026-13-41", /start-time/],
    ["start-time = '2026", "start-time = '1926", /start-time/],
    ["'TOTXPE'", "'../../etc'", /parent-backup-id is "..\/..\/etc"/],
    ["'TOTXPE'", "'TOTXPE", /quoted value has no end/],
    ["stream = true", "stream true", /Cannot parse line 3: no `key = value`/],
  ];
  for (const [from, to, message] of cases) {
    throws(() => parseBackupControl(encode(SAMPLE.replace(from, to)), PLACE), (error) => {
      ok(error instanceof FormatError);
      ok(message.test(error.message), error.message);
      ok(error.message.includes("backup.control") && error.message.includes("TOTXQL"));
      return true;
    });
  }
});

Deno.test("parseBackupControl() gives a value or one of our errors for every cut and every flipped bit", () => {
  const bytes = encode(SAMPLE);
  const attempt = (input: Uint8Array) => {
    try {
      parseBackupControl(input, PLACE);
    } catch (error) {
      ok(error instanceof Failure, String(error));
    }
  };
  for (let length = 0; length < bytes.length; length++) attempt(bytes.subarray(0, length));
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = Uint8Array.from(bytes);
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    attempt(damaged);
  }
});

Deno.test("parseKeyValues() follows the quoting rules", () => {
  const values = parseKeyValues(
    encode(
      "A_b C = 'it''s \\'q\\' \\\\ # no comment' # comment\nplain = word # c\n# x\n\nempty =\n",
    ),
    { path: "f" },
  );
  deepEqual([...values], [["a-b-c", "it's 'q' \\ # no comment"], ["plain", "word"], ["empty", ""]]);
});

Deno.test("parseKeyValues() gives a map or a FormatError for any bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    try {
      parseKeyValues(bytes, { path: "f" });
    } catch (error) {
      ok(error instanceof FormatError);
    }
  }));
});

Deno.test("parseInstanceConfig() reads identifier and segment size, with unit or without", () => {
  const text = "# c\npgdata = /d\nsystem-identifier = 18446744073709551615\nxlog-seg-size = ";
  deepEqual(parseInstanceConfig(encode(text + "16777216\n"), { path: "f" }), {
    systemIdentifier: "18446744073709551615",
    walSegmentSizeBytes: 16777216,
    pgdata: "/d",
  });
  equal(parseInstanceConfig(encode(text + "16MB\n"), { path: "f" }).walSegmentSizeBytes, 16777216);
  for (const bad of ["", "0", "3MB", "-1", "1TB", "x"]) {
    throws(() => parseInstanceConfig(encode(`${text}${bad}\n`), { path: "f" }), FormatError, bad);
  }
});
