import { deepEqual, equal, ok, throws } from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "#src/errors.ts";
import { HpackDecoder } from "#src/net/http2/hpack_decoder.ts";
import { encodeHeaderBlock } from "#src/net/http2/hpack_encoder.ts";
import type { HeaderField } from "#src/net/http2/hpack_table.ts";

const LIST_SIZE_MAX = 65_536;

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (byte) => parseInt(byte, 16));
}

function decoder(tableSize = 4096): HpackDecoder {
  return new HpackDecoder(tableSize, LIST_SIZE_MAX);
}

function isCompressionError(error: unknown): boolean {
  return error instanceof ProtocolError && error.code === "COMPRESSION_ERROR";
}

const REQUESTS: HeaderField[][] = [
  [[":method", "GET"], [":scheme", "http"], [":path", "/"], [":authority", "www.example.com"]],
  [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
    ["cache-control", "no-cache"],
  ],
  [
    [":method", "GET"],
    [":scheme", "https"],
    [":path", "/index.html"],
    [":authority", "www.example.com"],
    ["custom-key", "custom-value"],
  ],
];

const DATE = "Mon, 21 Oct 2013 20:13:2";
const COOKIE = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";

const ANSWERS: HeaderField[][] = [
  [
    [":status", "302"],
    ["cache-control", "private"],
    ["date", `${DATE}1 GMT`],
    ["location", "https://www.example.com"],
  ],
  [
    [":status", "307"],
    ["cache-control", "private"],
    ["date", `${DATE}1 GMT`],
    ["location", "https://www.example.com"],
  ],
  [
    [":status", "200"],
    ["cache-control", "private"],
    ["date", `${DATE}2 GMT`],
    ["location", "https://www.example.com"],
    ["content-encoding", "gzip"],
    ["set-cookie", COOKIE],
  ],
];

Deno.test("single fields are decoded as in RFC 7541, C.2", () => {
  const examples: [string, HeaderField][] = [
    [
      "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
      ["custom-key", "custom-header"],
    ],
    ["040c 2f73 616d 706c 652f 7061 7468", [":path", "/sample/path"]],
    ["1008 7061 7373 776f 7264 0673 6563 7265 74", ["password", "secret"]],
    ["82", [":method", "GET"]],
  ];
  for (const [hex, field] of examples) deepEqual(decoder().decode(bytes(hex)).fields, [field]);
});

Deno.test("requests that refer to each other are decoded as in RFC 7541, C.3 and C.4", () => {
  const plain = [
    "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    "8286 84be 5808 6e6f 2d63 6163 6865",
    "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
  ];
  const huffman = [
    "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
    "8286 84be 5886 a8eb 1064 9cbf",
    "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
  ];
  for (const blocks of [plain, huffman]) {
    const from = decoder();
    deepEqual(blocks.map((block) => from.decode(bytes(block)).fields), REQUESTS);
  }
});

Deno.test("a small table drops what is old, as in RFC 7541, C.6", () => {
  const from = decoder(256);
  const blocks = [
    "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e" +
    "919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
    "4883 640e ffc1 c0bf",
    "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7" +
    "821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed" +
    "4ee5 b106 3d50 07",
  ];
  deepEqual(blocks.map((block) => from.decode(bytes(block)).fields), ANSWERS);
});

Deno.test("what is malformed is a compression error", () => {
  const malformed = [
    "80", // index 0
    "be", // nothing in the table
    "82 20", // a resize behind a field
    "3f e2 1f", // a table of 4097 bytes
    "ff ff ff ff ff 7f", // a number without end
    "ff 80 80 80 80 80 80 80 80 00", // zeros without end
    "04", // cut in front of a string
    "04 0c 2f", // cut in a string
    "04 83 ff ff ff", // padding of more than 7 bits
    "04 84 ff ff ff ff", // the end symbol
    "04 81 f8 f8", // fine, and then an index that is not there
    "04 81 18", // padding that is not 1
  ];
  for (const hex of malformed) {
    throws(() => decoder().decode(bytes(hex)), isCompressionError, hex);
  }
});

Deno.test("a few bytes that refer to much are not expanded beyond the limit", () => {
  const from = decoder();
  const field: HeaderField = ["a", "b".repeat(4000)];
  from.decode(Uint8Array.of(0x40, 1, 97, 0x7f, 0xa1, 0x1e, ...new Uint8Array(4000).fill(98)));
  const { fields, isTooLarge } = from.decode(new Uint8Array(100_000).fill(0xbe));
  equal(isTooLarge, true);
  deepEqual(fields[0], field);
  ok(fields.length <= LIST_SIZE_MAX / 4033);
});

const LATIN1 = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
});

Deno.test("decoding gives what was encoded", () => {
  fc.assert(fc.property(fc.array(fc.tuple(LATIN1, LATIN1), { maxLength: 20 }), (fields) => {
    const from = decoder();
    for (const isFirst of [true, false]) {
      const decoded = from.decode(encodeHeaderBlock(fields, isFirst));
      deepEqual(decoded, { fields, isTooLarge: false });
    }
  }));
});

Deno.test("any bytes are decoded or refused", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (blocks) => {
      const from = decoder();
      try {
        for (const block of blocks) from.decode(block);
      } catch (error) {
        ok(isCompressionError(error), String(error));
      }
    }),
    { numRuns: 3000 },
  );
});
