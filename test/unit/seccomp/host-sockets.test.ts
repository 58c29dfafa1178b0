import { describe, expect, test } from "vitest";
import { type FilterAddition, programFilter } from "../../../src/seccomp/program-filter.ts";
import { syscallNumbers } from "../../../src/seccomp/syscalls.ts";
import { runFilter } from "../../kit/bpf-interpreter.ts";

const allow = 0x7fff_0000;
const eperm = 0x0005_0001;
const flags = [0, 0x800, 0x8_0000, 0x8_0800];
const [unix, inet, inet6, netlink] = [1, 2, 10, 16];
const [stream, datagram, raw, packets] = [1, 2, 3, 5];

describe.for(["default", "strict"] as const)("the %s filter", (profile) => {
  const answers = (additions: readonly FilterAddition[], call: "socket" | "socketpair", family: number, type: number) =>
    new Set(
      flags.map((flag) => {
        const number = syscallNumbers[call].x86_64 ?? -1;
        const args = [family, type | flag, 0].map(BigInt);
        const filter = programFilter(profile, "x64", additions);
        return runFilter(filter, { architecture: 0xc000_003e, number, arguments: args }).action;
      }),
    );

  test.for([inet, inet6])(
    "without datagrams makes sockets of family %s for streams alone, with any flags",
    (family) => {
      for (const call of ["socket", "socketpair"] as const) {
        expect(answers(["datagrams"], call, family, stream)).toEqual(new Set([allow]));
        expect(answers(["datagrams"], call, family, datagram)).toEqual(new Set([eperm]));
        expect(answers(["datagrams"], call, family, raw)).toEqual(new Set([eperm]));
        expect(answers([], call, family, datagram)).toEqual(new Set([allow]));
      }
    },
  );

  test("without Unix sockets makes pairs of connected ones alone", () => {
    for (const type of [stream, datagram, packets]) {
      expect(answers(["unix-sockets"], "socket", unix, type)).toEqual(new Set([eperm]));
      expect(answers([], "socket", unix, type)).toEqual(new Set([allow]));
      const ofPair = new Set([type === datagram ? eperm : allow]);
      expect(answers(["unix-sockets"], "socketpair", unix, type)).toEqual(ofPair);
    }
    // The kernel makes a datagram socket of it, unix(7).
    expect(answers(["unix-sockets"], "socketpair", unix, raw)).toEqual(new Set([eperm]));
  });

  test("leaves the other families to what denies them", () => {
    expect(answers(["datagrams", "unix-sockets"], "socket", netlink, raw)).toEqual(new Set([allow]));
    expect(answers(["datagrams"], "socket", unix, datagram)).toEqual(new Set([allow]));
    expect(answers(["unix-sockets"], "socket", inet, datagram)).toEqual(new Set([allow]));
  });

  test.for<FilterAddition>(["datagrams", "unix-sockets"])("without %s makes no sockets by socketcall", (addition) => {
    const number = syscallNumbers.socketcall.i386 ?? -1;
    for (const what of [1, 8])
      expect(
        runFilter(programFilter(profile, "x64", [addition]), {
          architecture: 0x4000_0003,
          number,
          arguments: [BigInt(what)],
        }).action,
      ).toBe(eperm);
  });
});
