/** Writes PostgreSQL's LZ: greedy, the newest match at a three-byte prefix. */
export function compressPglz(input: Uint8Array): Uint8Array {
  const output: number[] = [];
  const newest = new Map<number, number>();
  let position = 0;
  let controlAt = -1;
  let item = 8;
  while (position < input.length) {
    if (item === 8) {
      controlAt = output.length;
      output.push(0);
      item = 0;
    }
    const prefix = prefixAt(input, position);
    const match = newest.get(prefix);
    let length = 0;
    if (match !== undefined && position - match <= 4095) {
      while (
        length < 273 && position + length < input.length &&
        input[match + length] === input[position + length]
      ) length++;
    }
    if (length >= 3) {
      const distance = position - match!;
      const short = Math.min(length, 18);
      output.push(((distance >> 4) & 0xf0) | (short - 3), distance & 0xff);
      if (short === 18) output.push(length - 18);
      output[controlAt]! |= 1 << item;
    } else {
      length = 1;
      output.push(input[position]!);
    }
    for (const end = position + length; position < end; position++) {
      newest.set(prefixAt(input, position), position);
    }
    item += 1;
  }
  return Uint8Array.from(output);
}

function prefixAt(input: Uint8Array, position: number): number {
  return input[position]! | ((input[position + 1] ?? 0) << 8) | ((input[position + 2] ?? 0) << 16) |
    (position + 2 < input.length ? 0 : 1 << 24);
}

/** Writes a raw LZ4 block: runs of one byte become matches, all else is literal. */
export function compressLz4Literally(input: Uint8Array): Uint8Array {
  const output: number[] = [];
  let literalStart = 0;
  let position = 1;
  while (position < input.length - 12) {
    let length = 0;
    while (
      position + length < input.length - 5 && input[position + length] === input[position - 1]
    ) {
      length++;
    }
    if (length < 8) {
      position += 1;
      continue;
    }
    pushSequence(output, input.subarray(literalStart, position), length, 1);
    position += length;
    literalStart = position;
    position += 1;
  }
  pushSequence(output, input.subarray(literalStart), 0, 0);
  return Uint8Array.from(output);
}

function pushSequence(
  output: number[],
  literals: Uint8Array,
  matchLength: number,
  distance: number,
): void {
  const match = matchLength === 0 ? 0 : matchLength - 4;
  output.push((Math.min(literals.length, 15) << 4) | Math.min(match, 15));
  pushRest(output, literals.length);
  for (const byte of literals) output.push(byte);
  if (matchLength === 0) return;
  output.push(distance & 0xff, distance >> 8);
  pushRest(output, match);
}

function pushRest(output: number[], length: number): void {
  if (length < 15) return;
  let rest = length - 15;
  for (; rest >= 255; rest -= 255) output.push(255);
  output.push(rest);
}
