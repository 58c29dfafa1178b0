import type { Socket } from "node:net";
import { describe, expect } from "vitest";
import { encodeAddress, familyOf } from "../../../src/bridge/sockaddr.ts";
import { countedDoors, test, ways } from "../../kit/bridges.ts";
import { payload, received, relayIsStill, whole, writeFails } from "../../kit/bytes.ts";

/** Small enough to have left the target's kernel when the target closes: with unread input that drops the rest. */
const answer = payload(64 << 10);
const upload = payload(50 << 20);

test.for(ways)(
  "%s -> %s: the answer of a target that closes in the middle of an upload arrives whole",
  async ([listen, connect], { stage }) => {
    const target = await stage.target(connect, (socket) => {
      socket.once("data", () => {
        socket.pause();
        socket.write(answer, () => socket.destroy());
      });
    });
    const client = stage.client(stage.bridge(listen, target).address);
    const uploaded = new Promise((resolve) => client.end(upload, (error?: Error) => resolve(error ?? "uploaded")));
    expect(await received(client)).toEqual(whole(answer));
    expect(await uploaded).toBe("uploaded");
  },
);

test.for(ways)(
  "%s -> %s: what a client has sent before it closed arrives whole, although it read no answer",
  async ([listen, connect], { stage }) => {
    const arrived = Promise.withResolvers<unknown>();
    const target = await stage.target(connect, (socket) => {
      socket.write(answer);
      arrived.resolve(received(socket));
    });
    const client = stage.client(stage.bridge(listen, target).address);
    const request = payload(100_000);
    client.end(request, () => client.destroy());
    expect(await arrived.promise).toEqual(whole(request));
  },
);

/** The kernel tells a Unix socket ECONNRESET when its peer has closed with unread input. */
describe("a Unix peer that closes with unread input has ended, not reset, the connection:", () => {
  test.for(["tcp", "tcp6"] as const)("a target, to a %s client", async (listen, { stage }) => {
    const { addon, passed } = countedDoors();
    const accepted = Promise.withResolvers<Socket>();
    const target = await stage.target("unix", accepted.resolve, "unread");
    const client = stage.client(stage.bridge(listen, target, {}, addon).address);
    client.write("never read");
    const server = await accepted.promise;
    await relayIsStill(passed);
    server.write(answer, () => server.destroy());
    expect(await received(client)).toEqual(whole(answer));
  });

  test.for(["tcp", "tcp6"] as const)("a client, to a %s target", async (connect, { stage }) => {
    const { addon, passed } = countedDoors();
    const arrived = Promise.withResolvers<unknown>();
    const target = await stage.target(connect, (socket) => {
      socket.write("never read");
      arrived.resolve(received(socket));
    });
    const { address } = stage.bridge("unix", target, {}, addon);
    const client = addon.socket(familyOf(address));
    expect(addon.connect(client, encodeAddress(address))).toBe(0);
    await relayIsStill(passed);
    expect(addon.unread(client)).toBe("never read".length);
    expect(addon.send(client, answer, 0, answer.length, 0)).toBe(answer.length);
    addon.closeDescriptor(client);
    expect(await arrived.promise).toEqual(whole(answer));
  });
});

test.for(ways)(
  "%s -> %s: a target that sends to a client that is gone is stopped",
  async ([listen, connect], { stage }) => {
    const stopped = Promise.withResolvers<unknown>();
    const target = await stage.target(connect, (socket) => {
      socket.once("data", () => stopped.resolve(writeFails(socket)));
    });
    const client = stage.client(stage.bridge(listen, target).address);
    client.write("go");
    client.once("data", () => client.destroy());
    expect(await stopped.promise).toBeOneOf(["EPIPE", "ECONNRESET"]);
  },
);

test.for(ways)(
  "%s -> %s: a client that goes on sending to a target that is gone is reset after a while",
  async ([listen, connect], { stage }) => {
    const target = await stage.target(connect, (socket) => socket.end(answer, () => socket.destroy()));
    const client = stage.client(stage.bridge(listen, target, { lingerMs: 100 }).address);
    expect(await received(client)).toEqual(whole(answer));
    expect(await writeFails(client)).toBeOneOf(["EPIPE", "ECONNRESET"]);
  },
);
