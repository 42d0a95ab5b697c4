import { equal, ok } from "node:assert/strict";
import {
  makeVectorChecksum,
  pageChecksum,
  PageVerdict,
  verifyPage,
} from "#src/pgprobackup/format/page_checksum.ts";
import { recordBlock, recordPayloadSize } from "#src/pgprobackup/format/page_stream.ts";
import { pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";

Deno.test("verifyPage() accepts every real page, and no page with a flipped bit", async () => {
  const fixture = (await pgprobackupFixture("a-stream-none"))!;
  const path = `${fixture.catalog}/backups/main/TOTXMX/database/base/5/16396`;
  const bytes = Deno.readFileSync(path);
  let pages = 0;
  for (let offset = 0; offset < bytes.length; offset += 8200) {
    equal(recordPayloadSize(bytes, offset), 8192);
    const block = recordBlock(bytes, offset);
    const words = new Int32Array(bytes.slice(offset + 8, offset + 8200).buffer);
    equal(verifyPage(words, 0, block), PageVerdict.GOOD);
    equal(verifyPage(words, 0, block + 1), PageVerdict.BAD_CHECKSUM);
    words[(block * 37) & 2047]! ^= 1 << (block & 31);
    ok(verifyPage(words, 0, block) !== PageVerdict.GOOD, `block ${block}`);
    pages += 1;
  }
  equal(pages, 1640);
});

Deno.test("verifyPage() takes a page without header only when all of it is zero", () => {
  const words = new Int32Array(3 * 2048);
  equal(verifyPage(words, 2048, 7), PageVerdict.GOOD);
  words[2 * 2048 - 1] = 1;
  equal(verifyPage(words, 2048, 7), PageVerdict.BAD_NEW_PAGE);
});

Deno.test("pageChecksum() follows the definition lane by lane", () => {
  const words = Int32Array.from({ length: 2048 }, (_, index) => Math.imul(index + 3, 0x9e3779b1));
  const before = pageChecksum(words, 0, 5);
  words[2] = (words[2]! & ~0xffff) | 0x1234;
  equal(pageChecksum(words, 0, 5), before, "the field itself does not count");
  words[2]! ^= 1 << 16;
  ok(pageChecksum(words, 0, 5) !== before, "the flags beside it do");
});

Deno.test("makeVectorChecksum() computes what pageChecksum() does", () => {
  const vector = makeVectorChecksum()!;
  const words = new Int32Array(4 * 2048);
  for (let round = 0; round < 200; round++) {
    for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + round, 0x9e3779b1) ^ i << round;
    const start = 2048 * (round & 3);
    const block = Math.imul(round, 0x3779b1);
    equal(vector(words, start, block), pageChecksum(words, start, block), `round ${round}`);
  }
});
