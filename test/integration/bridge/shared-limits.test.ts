import { once } from "node:events";
import type { Socket } from "node:net";
import realAddon from "landlock-napi/addon";
import { expect } from "vitest";
import { openBridges } from "../../../src/bridge/bridges.ts";
import { ConnectionLimit } from "../../../src/bridge/connection-limit.ts";
import { test } from "../../kit/bridges.ts";
import { received, whole } from "../../kit/bytes.ts";

const hello = Buffer.from("hello");

test("bridges that share a limit wait for each other's connections", async ({ stage }) => {
  const target = await stage.target("tcp", (socket) => socket.pipe(socket));
  const listen = () => ({ listen: stage.freeAddress("tcp"), connect: target });
  const open = openBridges(realAddon, [listen(), listen()]);
  const bridges = stage.relay(open, { sharedLimits: [new ConnectionLimit(2)] });
  const [one, other] = open.map(({ listener }) => listener.address);
  if (one === undefined || other === undefined) throw new Error("no listeners");
  const [first, second] = [stage.client(one), stage.client(other)];
  await Promise.all([first, second].map(echoed));
  const waiting = [stage.client(one), stage.client(other)].map((client) => received(client.end(hello)));
  await Promise.all([first, second].map(echoed)); // the relays have had their turn
  expect(bridges.statistics().map(({ accepted }) => accepted)).toEqual([1, 1]);
  first.destroy();
  expect(await Promise.all(waiting)).toEqual([whole(hello), whole(hello)]);
  expect(bridges.statistics()).toMatchObject([{ accepted: 2 }, { accepted: 2, open: 1 }]);
});

test("clients whose target refuses leave room", async ({ stage }) => {
  const target = await stage.refusingTarget("tcp");
  const open = openBridges(realAddon, [{ listen: stage.freeAddress("tcp"), connect: target }]);
  const bridges = stage.relay(open, { sharedLimits: [new ConnectionLimit(1)] });
  const [address] = open.map(({ listener }) => listener.address);
  if (address === undefined) throw new Error("no listener");
  const seen = await Promise.all([1, 2, 3].map(() => received(stage.client(address))));
  expect(seen.map(({ end }) => end)).toEqual(["ECONNRESET", "ECONNRESET", "ECONNRESET"]);
  expect(bridges.statistics()).toMatchObject([{ accepted: 3, refused: 3, open: 0 }]);
});

async function echoed(socket: Socket): Promise<void> {
  socket.write(hello);
  await once(socket, "data");
}
