import assert from "node:assert/strict";
import { formatCalendarTime, formatLocalTime } from "#src/cli/local_time.ts";

Deno.test("formatLocalTime() has a numeric offset and means the same time", () => {
  const time = new Date(Date.UTC(2024, 5, 5, 10, 0, 0));
  const text = formatLocalTime(time);
  assert.match(text, /^2024-06-0[456]T\d\d:\d\d:00[+-]\d\d:\d\d$/);
  assert.equal(Date.parse(text), time.getTime());
});

Deno.test("formatCalendarTime() is what ctime(3) prints", () => {
  assert.equal(formatCalendarTime(new Date(2024, 0, 10, 10, 0, 5)), "Wed Jan 10 10:00:05 2024");
  assert.equal(formatCalendarTime(new Date(2026, 10, 1, 2, 18, 5)), "Sun Nov  1 02:18:05 2026");
});
