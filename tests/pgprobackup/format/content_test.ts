import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { Failure, FormatError } from "#src/errors.ts";
import { ContentEntry, parseContentList } from "#src/pgprobackup/format/content.ts";

const PLACE = { path: "backup_content.control", backupId: "TOTXO5" };
const encode = (text: string) => new TextEncoder().encode(text);

type Fields = Omit<ContentEntry, "setPath" | "bytes" | "pathStart" | "pathEnd">;

function parse(text: string | Uint8Array<ArrayBuffer>): Fields[] {
  const entries: Fields[] = [];
  const bytes = typeof text === "string" ? encode(text) : text;
  parseContentList(bytes, PLACE, (entry) => entries.push({ ...entry, path: entry.path }));
  return entries;
}

const RELATION =
  '{"path":"base/5/16396", "size":"81458", "mode":"33152", "is_datafile":"1", "is_cfs":"0", "crc":"1741880796", "compress_alg":"zlib", "external_dir_num":"0", "dbOid":"5","full_size":"1220608","segno":"3","n_blocks":"1646","n_headers":"149","hdr_crc":"661014298","hdr_off":"2417","hdr_size":"1979"}\n';
const FILE =
  '{"path":"PG_VERSION", "size":"-1", "mode":"33152", "is_datafile":"0", "is_cfs":"0", "crc":"575108234", "compress_alg":"none", "external_dir_num":"2", "dbOid":"0","full_size":"3"}\n';

Deno.test("parseContentList() reads every field and starts each line anew", () => {
  const [relation, file] = parse(RELATION + FILE);
  deepEqual({ ...relation }, {
    path: "base/5/16396",
    size: 81458,
    mode: 0o100600,
    isDataFile: true,
    isCfs: false,
    compression: 1,
    externalNumber: 0,
    fullSize: 1220608,
    segment: 3,
    blockCount: 1646,
    headerCount: 149,
    headerCrc: 661014298,
    headerOffset: 2417,
    headerSize: 1979,
    crc: 1741880796,
    lineOffset: 0,
    lineNumber: 1,
  });
  deepEqual({ ...file }, {
    ...new ContentEntry(),
    path: "PG_VERSION",
    size: -1,
    mode: 0o100600,
    externalNumber: 2,
    fullSize: 3,
    crc: 575108234,
    lineOffset: RELATION.length,
    lineNumber: 2,
  });
});

Deno.test("parseContentList() does not depend on order, blanks or unknown keys", () => {
  const [entry] = parse(
    '{ "mode" : "33152" ,"is_datafile":"0","new_key":"a,b}","size":"7","path":"ä b/\\\\x"  }  \n',
  );
  equal(entry!.path, "ä b/\\\\x");
  equal(entry!.size, 7);
});

Deno.test("parseContentList() keeps bytes of a name that are no UTF-8", () => {
  const bytes = encode(FILE);
  bytes[9] = 0xff;
  equal(parse(bytes)[0]!.path, "\udcffG_VERSION");
});

Deno.test("parseContentList() reads numbers beyond 64 bits as -1", () => {
  equal(parse(FILE.replace('"-1"', '"18446744073709551615"'))[0]!.size, -1);
});

Deno.test("parseContentList() refuses paths that are not plainly below their root", () => {
  const paths = [
    "",
    "/etc/passwd",
    "..",
    "../x",
    "base/../../x",
    "base/..",
    "base//5",
    "base/",
    "./x",
    "base/.",
    "a\0b",
    "x".repeat(256),
    "a/".repeat(2100) + "a",
  ];
  for (const path of paths) {
    throws(() => parse(RELATION + FILE.replace("PG_VERSION", path)), (error) => {
      ok(error instanceof FormatError);
      ok(error.message.startsWith("Cannot parse line 2: path "), error.message);
      equal(error.offset, RELATION.length);
      equal(error.path, PLACE.path);
      equal(error.backupId, PLACE.backupId);
      return true;
    }, JSON.stringify(path.slice(0, 20)));
  }
});

Deno.test("parseContentList() refuses impossible numbers and unknown compression", () => {
  const cases: [string, string, RegExp][] = [
    ['"33152"', '"41471"', /mode 41471/],
    ['"33152"', '"-1"', /mode -1/],
    ['"81458"', '"-2"', /size is -2/],
    ['"81458"', '""', /number expected/],
    ['"81458"', '"8x"', /number expected/],
    ['"81458"', '"9007199254740993"', /too large/],
    ['"1646"', '"131073"', /n_blocks is 131073/],
    ['"149"', '"131073"', /n_headers is 131073/],
    ['_dir_num":"0"', '_dir_num":"-1"', /external_dir_num is -1/],
    ['"size"', '"sise"', /missing/],
    ['"zlib"', '"brotli"', /compression "brotli"/],
  ];
  for (const [from, to, message] of cases) {
    throws(() => parse(RELATION.replace(from, to)), (error) => {
      ok(error instanceof FormatError && message.test(error.message), String(error));
      equal(error.code, to === '"brotli"' ? "unsupported" : "corrupt");
      return true;
    });
  }
});

Deno.test("parseContentList() refuses a list that is cut anywhere but at a line end", () => {
  const bytes = encode(RELATION + FILE);
  for (let length = 1; length < bytes.length; length++) {
    if (length === RELATION.length) continue;
    throws(() => parse(bytes.subarray(0, length)), FormatError, `${length} bytes`);
  }
  equal(parse(RELATION).length, 1);
  equal(parse("").length, 0);
});

Deno.test("parseContentList() gives entries or one of our errors for every flipped bit", () => {
  const bytes = encode(RELATION + FILE);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = Uint8Array.from(bytes);
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    try {
      parse(damaged);
    } catch (error) {
      ok(error instanceof Failure, String(error));
    }
  }
});
