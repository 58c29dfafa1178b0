/**
 * A launcher that is killed: a network part with one published port, in a process of its own.
 *
 * Runs:     in a child process of the network part's tests, which may be another user's; the arguments are the packed fence and the
 *           port to connect to.
 * Promises: says by IPC where it listens, and which process serves whenever it is asked.
 */
import addon from "landlock-napi/addon";
import { openListeners } from "../../../src/bridge/listener.ts";
import { NetworkPart } from "../../../src/network/network-part.ts";

const [executable = "", port = ""] = process.argv.slice(2);
const targets = [{ kind: "tcp", host: "127.0.0.1", port: Number(port) }] as const;
const crashed = (crash: object) => void process.send?.({ crash });
const part = new NetworkPart(addon, { executable, targets, publishedPorts: [], debug: null, crashed });
const [listener] = openListeners(addon, [{ kind: "tcp", host: "127.0.0.1", port: 0 }]);
if (listener?.address.kind !== "tcp") throw new Error("no listener");
part.sandbox(null).add({ kind: "outbound", listener: listener.fd, listen: listener.address, targets });
process.on("message", () => process.send?.({ pid: part.child?.pid }));
process.send?.({ port: listener.address.port });
