import { once } from "node:events";
import realAddon from "landlock-napi/addon";
import { expect } from "vitest";
import { openListeners } from "../../../src/bridge/listener.ts";
import { doors, test, ways } from "../../kit/bridges.ts";
import { received, whole } from "../../kit/bytes.ts";

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
