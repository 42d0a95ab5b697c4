import assert from "node:assert/strict";
import { formatCalendarTime, formatDateTime, formatLocalTime } from "#src/usecases/local_time.ts";
import { localSeconds } from "#src/io/local_time.ts";

Deno.test("formatLocalTime() has a numeric offset and means the same time", () => {
  const seconds = Date.UTC(2024, 5, 5, 10, 0, 0) / 1000;
  const text = formatLocalTime(seconds);
  assert.match(text, /^2024-06-0[456]T\d\d:\d\d:00[+-]\d\d:\d\d$/);
  assert.equal(Date.parse(text) / 1000, seconds);
});

Deno.test("formatCalendarTime() is what ctime(3) prints", () => {
  const time = { year: 2024, month: 1, day: 10, hour: 10, minute: 0, second: 5 };
  const seconds = localSeconds(time);
  assert.equal(formatCalendarTime(seconds), "Wed Jan 10 10:00:05 2024");
  assert.equal(formatDateTime(seconds), "2024-01-10 10:00:05");
  const first = localSeconds({ ...time, year: 2026, month: 11, day: 1, hour: 2 });
  assert.equal(formatCalendarTime(first), "Sun Nov  1 02:00:05 2026");
});
