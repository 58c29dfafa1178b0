/**
 * A bridge whose listener another process has opened and keeps: descriptor 0, which libuv has made blocking.
 *
 * Runs:     in a child process of the inherited listeners' tests; the arguments are the bridge's two addresses.
 * Promises: on SIGTERM it drains, prints the statistics and ends.
 */
import addon from "landlock-napi/addon";
import { parseAddress } from "../../../src/bridge/address.ts";
import { Bridges } from "../../../src/bridge/bridges.ts";
import { inheritListener } from "../../../src/bridge/listener.ts";

const [listen = "", connect = ""] = process.argv.slice(2);
const listener = inheritListener(addon, 0, parseAddress(listen, "listen"));
const bridges = new Bridges(addon, [{ listener, target: parseAddress(connect, "connect") }]);
process.once("SIGTERM", async () => {
  await bridges.drain();
  console.log(JSON.stringify(bridges.statistics()));
  bridges.close();
});
