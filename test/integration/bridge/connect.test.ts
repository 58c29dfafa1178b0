import { once } from "node:events";
import realAddon from "landlock-napi/addon";
import { expect } from "vitest";
import { openListeners } from "../../../src/bridge/listener.ts";
import { doors, test, ways } from "../../kit/bridges.ts";
import { received, whole } from "../../kit/bytes.ts";

const ECONNREFUSED = 111;
const early = Buffer.from("early");

test.for(ways)(
  "%s -> %s: a client may connect and speak before the bridge relays",
  async ([listen, connect], { stage }) => {
    const target = await stage.target(connect, (socket) => socket.pipe(socket));
    const [listener] = openListeners(realAddon, [stage.freeAddress(listen)]);
    if (listener === undefined) throw new Error("no listener");
    const client = stage.client(listener.address).end(early);
    await once(client, "finish");
    stage.relay([{ listener, target }], {}, latestFirst());
    expect(await received(client)).toEqual(whole(early));
  },
);

/** BBR, the default of some machines, would pace what is sent, and goes on with it once it has begun. */
test.for([
  ["127.0.0.1", ["noDelay", "doNotPace", "connect"]],
  ["::1", ["noDelay", "doNotPace", "connect"]],
  ["192.0.2.1", ["noDelay", "connect"]],
] as const)("a TCP socket to %s: %j", async ([host, expected], { stage }) => {
  const calls: string[] = [];
  const noted = (name: string, result: number) => () => {
    calls.push(name);
    return result;
  };
  const addon = doors({
    noDelay: noted("noDelay", 0),
    doNotPace: noted("doNotPace", 0),
    connect: noted("connect", -ECONNREFUSED),
  });
  const { address } = stage.bridge("unix", { kind: "tcp", host, port: 1 }, {}, addon);
  expect(await received(stage.client(address))).toMatchObject({ sizeBytes: 0 });
  expect(calls).toEqual(expected);
});

test.for(["tcp", "tcp6"] as const)(
  "a %s listener is told not to pace before it listens: accepted sockets inherit it",
  async (kind, { stage }) => {
    const calls: string[] = [];
    const addon = doors({
      doNotPace: (fd) => {
        calls.push("doNotPace");
        return realAddon.doNotPace(fd);
      },
      listen: (fd, backlog) => {
        calls.push("listen");
        return realAddon.listen(fd, backlog);
      },
    });
    const { address } = stage.bridge(kind, await stage.target("unix", (socket) => socket.pipe(socket)), {}, addon);
    expect(calls).toEqual(["doNotPace", "listen"]);
    expect(await received(stage.client(address).end(early))).toEqual(whole(early));
  },
);

/** Events come in the opposite order: the client's request before the news that its target is connected. */
function latestFirst() {
  return doors({
    epollWait: (epoll, pairs) => {
      const count = realAddon.epollWait(epoll, pairs);
      const events = Array.from({ length: Math.max(count, 0) }, (_, at) => [...pairs.subarray(2 * at, 2 * at + 2)]);
      pairs.set(events.reverse().flat());
      return count;
    },
  });
}
