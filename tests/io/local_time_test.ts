import assert from "node:assert/strict";
import { copyFileSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { LocalTime } from "#src/io/local_time.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const CHILD = fileURLToPath(new URL("./_local_time_child.ts", import.meta.url));
/** A zone's file; zones are not installed everywhere. */
const VIENNA = "/usr/share/zoneinfo/Europe/Vienna";
const hasZones = await Deno.stat(VIENNA).then(() => true, () => false);
const canMount = Deno.uid() === 0;

/** Beside the changes to and from summer time of 2024, the middle of both, and long ago. */
const TIMES = [1711846799, 1711846800, 1729990799, 1729990800, 1704880800, 1720000000, -1e9];

interface Answer {
  readonly times: readonly (LocalTime & { readonly isInvertible: boolean })[];
  readonly problem?: string;
}

interface ZoneOptions {
  readonly zone: string | undefined;
  readonly permissions?: readonly string[];
  /** Words before the command, such as those of `unshare`. */
  readonly around?: readonly string[];
}

async function ask(options: ZoneOptions): Promise<Answer> {
  const { permissions = ["--allow-ffi"] } = options;
  const { stdout } = await run(options, denoRunCommand(permissions, CHILD, TIMES.map(String)));
  return JSON.parse(stdout);
}

/** What `date` says of the same times, in the same form. */
async function dates(options: ZoneOptions): Promise<string[]> {
  const script = TIMES.map((time) => `date -d @${time} '+%F %T %w %::z'`).join(";");
  const { stdout } = await run(options, ["sh", "-c", script]);
  return stdout.trim().split("\n");
}

function run({ zone, around = [] }: ZoneOptions, command: readonly string[]) {
  const env = zone === undefined ? ["-u", "TZ"] : [`TZ=${zone}`];
  return runCommand([...around, "env", ...env, ...command], { timeoutMs: 30_000 });
}

/** A zone that is known by no name. */
function withOtherNames(zone: Uint8Array): Uint8Array {
  return Uint8Array.fromHex(zone.toHex().replaceAll("4345535400", "4345585400"));
}

function show({ year, month, day, hour, minute, second, weekday, offsetSeconds }: LocalTime) {
  const two = (value: number) => String(value).padStart(2, "0");
  const size = Math.abs(offsetSeconds);
  const offset = [size / 3600, size / 60 % 60, size % 60].map((part) => two(Math.floor(part)));
  return `${year}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${
    two(second)
  } ${weekday} ` +
    `${offsetSeconds < 0 ? "-" : "+"}${offset.join(":")}`;
}

/** Local times are those of `date`, and the zone is known. */
async function assertLikeDate(options: ZoneOptions): Promise<void> {
  const { times, problem } = await ask(options);
  assert.deepEqual(times.map(show), await dates(options), options.zone);
  assert.ok(times.every((time) => time.isInvertible), options.zone);
  assert.equal(problem, undefined, options.zone);
}

Deno.test({
  name: "local time is that of date(1) for every form of TZ",
  ignore: !hasZones,
  fn: async () => {
    using directory = new TempDirectory("zones");
    copyFileSync(VIENNA, directory.join("zone"));
    for (
      const zone of [
        undefined,
        "",
        "UTC",
        "Europe/Vienna",
        ":America/St_Johns",
        VIENNA,
        `:${VIENNA}`,
        ":/etc/localtime",
        directory.join("zone"),
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "<+0330>-3:30",
        "NST3:30NDT,M3.2.0,M11.1.0",
      ]
    ) {
      await assertLikeDate({ zone });
    }
  },
});

Deno.test("a zone that the C library takes for UTC is a problem", async () => {
  using directory = new TempDirectory("zones");
  writeFileSync(directory.join("text"), "Europe/Vienna\n");
  symlinkSync("gone", directory.join("link"));
  for (
    const zone of [
      "Europe/Berln",
      "Europe",
      "CET-1CEST,M3.5.0",
      "/no/such/zone",
      directory.join("text"),
      directory.join("link"),
      directory.path,
    ]
  ) {
    const { problem } = await ask({ zone });
    assert.match(problem ?? "", /^time-zone: Cannot tell the local time: TZ is "/, zone);
  }
});

Deno.test({
  name: "local time is that of a zone file that is bound over /etc/localtime or linked to",
  ignore: !hasZones || !canMount,
  fn: async () => {
    using directory = new TempDirectory("zones");
    copyFileSync(VIENNA, directory.join("zone"));
    writeFileSync(directory.join("no-zone"), "nothing");
    const bound = (file: string) => [
      ...["unshare", "--mount", "sh", "-c"],
      `mount --bind "$0" "$(realpath /etc/localtime)" && exec "$@"`,
      directory.join(file),
    ];
    await assertLikeDate({ zone: undefined, around: bound("zone") });
    const { problem } = await ask({ zone: undefined, around: bound("no-zone") });
    assert.match(problem ?? "", /"\/etc\/localtime" leads to no zone file/);
    // Without the C library there is only the most similar zone that has a name.
    writeFileSync(directory.join("own"), withOtherNames(readFileSync(VIENNA)));
    const ownZone = [
      ...["unshare", "--mount", "sh", "-c"],
      `mount -t tmpfs none /etc && cp "$0" /etc/localtime && exec "$@"`,
      directory.join("own"),
    ];
    await assertLikeDate({ zone: undefined, around: ownZone });
    const permissions = ["--allow-read", "--allow-env"];
    const fallback = await ask({ zone: undefined, around: ownZone, permissions });
    assert.match(fallback.problem ?? "", /time-zone: .*"\/etc\/localtime" is not /);
  },
});

Deno.test({
  name: "a system that names UTC needs no zone files for it",
  ignore: !canMount,
  fn: async () => {
    const linked = (target: string) => [
      ...["unshare", "--mount", "sh", "-c"],
      `mount -t tmpfs none /usr/share/zoneinfo && mount -t tmpfs none /etc &&
      ln -s "$0" /etc/localtime && exec "$@"`,
      target,
    ];
    const utc = "/usr/share/zoneinfo/Etc/UTC";
    assert.equal((await ask({ zone: undefined, around: linked(utc) })).problem, undefined);
    assert.equal((await ask({ zone: "UTC", around: linked(utc) })).problem, undefined);
    const vienna = await ask({ zone: undefined, around: linked(VIENNA) });
    assert.match(vienna.problem ?? "", /^time-zone: /);
  },
});

Deno.test({
  name: "without FFI local time is the runtime's, where that knows the zone",
  ignore: !hasZones,
  fn: async () => {
    const permissions = ["--allow-read", "--allow-env"];
    for (const zone of ["", "UTC", "Europe/Vienna", "America/St_Johns"]) {
      const { times, problem } = await ask({ zone, permissions });
      const whole = (text: string) => text.replace(/:\d\d$/, "");
      const expected = await dates({ zone });
      // The runtime has no offsets with seconds.
      assert.deepEqual(times.map(show).map(whole), expected.map(whole), zone);
      assert.equal(problem, undefined, zone);
    }
    for (const zone of ["CET-1CEST,M3.5.0,M10.5.0/3", "Europe/Berln", `:${VIENNA}`]) {
      const { problem } = await ask({ zone, permissions });
      assert.match(problem ?? "", /^time-zone: /, zone);
    }
  },
});
