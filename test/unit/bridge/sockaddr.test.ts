import fc from "fast-check";
import { expect, test } from "vitest";
import { parseAddress } from "../../../src/bridge/address.ts";
import { decodeTcpAddress, encodeAddress } from "../../../src/bridge/sockaddr.ts";

test("a TCP address that was encoded decodes to an equal one", () => {
  const host = fc.oneof(
    fc.ipV4(),
    fc.ipV6().map((address) => `[${address}]`),
  );
  fc.assert(
    fc.property(host, fc.integer({ min: 1, max: 65535 }), (text, port) => {
      const address = parseAddress(`tcp:${text}:${port}`, "--bridge");
      expect(decodeTcpAddress(encodeAddress(address))).toEqual(address);
    }),
  );
});
