import assert from "node:assert/strict";
import { isZoneFile, isZoneRule } from "#src/bytes/time_zone.ts";

/** One zone without changes, as `zic` writes Etc/UTC: a block of each size. */
function utcFile(): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(44 + 6 + 4);
  block.set(new TextEncoder().encode("TZif2"));
  const view = new DataView(block.buffer);
  view.setUint32(36, 1); // types
  view.setUint32(40, 4); // bytes of names
  block.set(new TextEncoder().encode("UTC\0"), 50);
  return Uint8Array.from([...block, ...block, ...new TextEncoder().encode("\nUTC0\n")]);
}

Deno.test("isZoneFile() takes whole zone files", () => {
  assert.ok(isZoneFile(utcFile()));
  const old = utcFile().subarray(0, 54);
  assert.ok(!isZoneFile(old), "the part with long times is missing");
  old[4] = 0;
  assert.ok(isZoneFile(old));
});

Deno.test("isZoneFile() refuses what is cut off, has no zone or is something else", () => {
  const whole = utcFile();
  for (const size of [0, 4, 43, 44, 53, 54, 97, 107]) {
    assert.ok(!isZoneFile(whole.subarray(0, size)), `${size} bytes`);
  }
  assert.ok(!isZoneFile(new TextEncoder().encode("Europe/Vienna\n".repeat(10))));
  const empty = utcFile();
  new DataView(empty.buffer).setUint32(36, 0);
  assert.ok(!isZoneFile(empty));
  const huge = utcFile();
  new DataView(huge.buffer).setUint32(32, 0xffff_ffff);
  assert.ok(!isZoneFile(huge));
});

Deno.test("isZoneRule() takes rules of POSIX", () => {
  for (
    const rule of [
      "CET-1CEST,M3.5.0,M10.5.0/3",
      "CET-1CEST",
      "UTC0",
      "EST5EDT4,M3.2.0/2:00:00,M11.1.0/02:00",
      "<+0330>-3:30",
      "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1",
      "IST-2IDT,M3.4.4/26,M10.5.0",
      "AAA+1BBB,J1,J365/167",
      "AAA+1BBB,0/0,365",
    ]
  ) {
    assert.ok(isZoneRule(rule), rule);
  }
});

Deno.test("isZoneRule() refuses names of zones and half rules", () => {
  for (
    const text of [
      "",
      "Europe/Berln",
      "Europe",
      "CET",
      "UT0",
      "CET-25",
      "CET-1CEST,M3.5.0",
      "CET-1CEST,M13.5.0,M10.5.0/3",
      "CET-1CEST,M3.6.0,M10.5.0",
      "CET-1CEST,M3.5.7,M10.5.0",
      "CET-1CEST,J0,J365",
      "CET-1CEST,M3.5.0,M10.5.0/168",
      "CET-1CEST,M3.5.0,M10.5.0 ",
      "<CET-1",
      "UTC0\n",
    ]
  ) {
    assert.ok(!isZoneRule(text), JSON.stringify(text));
  }
});
