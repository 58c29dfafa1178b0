import { expect, test } from "vitest";
import { countsPayload, parseCounts } from "../../../src/network/delivered.ts";

const counts = { accepted: 3, refused: 1, open: 0, bytesToTarget: Number.MAX_SAFE_INTEGER, bytesToClient: 5 };

test.for([[[]], [[counts]], [[counts, { ...counts, accepted: 4 }]]])(
  "%o is read as it was written",
  ([written = []]) => {
    expect(parseCounts(countsPayload(written))).toEqual(written);
  },
);

test.for([
  ...["", "{", "null", "{}", "1", '"x"', "[1]", "[null]", "[[]]", "[[1,2,3,4]]", "[[1,2,3,4,5,6]]"],
  ...[
    '[[1,2,3,4,"5"]]',
    "[[1,2,3,4,-5]]",
    "[[1,2,3,4,5.5]]",
    "[[1,2,3,4,1e99]]",
    "[[1,2,3,4,null]]",
    "[[1,2,3,4,5],[]]",
  ],
])("%s are no counts", (text) => {
  expect(parseCounts(Buffer.from(text))).toBeNull();
});
