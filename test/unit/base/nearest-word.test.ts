import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nearestWord, wordHint } from "../../../src/base/nearest-word.ts";

const options = ["--ro", "--rox", "--rw", "--bridge", "--http-proxy", "--socks-proxy", "--landlock"];

describe("the nearest word", () => {
  test.for([
    ["--landlok", "--landlock"],
    ["--http_proxy", "--http-proxy"],
    ["--sock-proxy", "--socks-proxy"],
    ["--bridges", "--bridge"],
    ["--rox", "--rox"],
  ])("to %s is %s", ([word = "", nearest = ""]) => {
    expect(nearestWord(word, options)).toBe(nearest);
  });

  test.for(["--seccomp", "x", "", "--completely-different"])("to %s is none", (word) => {
    expect(nearestWord(word, options)).toBeNull();
  });

  test("is the first of those equally near", () => {
    expect(nearestWord("--rx", ["--ro", "--rw"])).toBe("--ro");
  });

  test("does not exist among no words", () => {
    expect(nearestWord("anything", [])).toBeNull();
  });
});

describe("the hint", () => {
  test("names the nearest word", () => {
    expect(wordHint("--bridg", options)).toBe("did you mean --bridge?");
  });

  test("lists what is valid when no word is near", () => {
    expect(wordHint("--xyz", ["on", "off"])).toBe("valid: on, off");
  });
});

const words = fc.array(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 8 });

test("a valid word is its own nearest", () => {
  fc.assert(
    fc.property(words, fc.nat(), (valid, index) => {
      const word = valid[index % valid.length] ?? "";
      expect(nearestWord(word, valid)).toBe(word);
    }),
  );
});

test("a word with one letter left out, added or changed is recognised", () => {
  const edits = fc.constantFrom("left out", "added", "changed");
  fc.assert(
    fc.property(fc.string({ minLength: 3, maxLength: 12 }), fc.nat(), edits, (word, position, edit) => {
      const at = position % word.length;
      const kept = edit === "added" ? at : at + 1;
      const mistyped = word.slice(0, at) + (edit === "left out" ? "" : "~") + word.slice(kept);
      expect(nearestWord(mistyped, [word])).toBe(word);
    }),
  );
});

test("the answer is always a valid word or none", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), words, (word, valid) => {
      expect([...valid, null]).toContain(nearestWord(word, valid));
    }),
  );
});
