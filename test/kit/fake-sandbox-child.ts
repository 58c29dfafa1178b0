/**
 * A network namespace to stand for a sandbox: what is asked for by IPC is made here and passed out.
 *
 * Runs:     in a child process of the network part's tests, in a namespace of its own. Descriptor 3: what listeners are
 *           passed out on; descriptor 4: the factory's end, on which sockets are asked for.
 * Promises: answers in the order of the questions; ends when the IPC channel does.
 */
import { createServer, connect as netConnect } from "node:net";
import addon from "landlock-napi/addon";
import type { Address } from "../../src/bridge/address.ts";
import { openListeners } from "../../src/bridge/listener.ts";
import { noDescriptor, receiveMessage, sendMessage } from "../../src/sys/protocol.ts";
import type { SandboxAnswer, SandboxQuestion } from "./fake-sandbox.ts";

const listeners = 3;
const factory = 4;
const EMFILE = 24;

/** Questions for sockets that are refused before one is made; negative: no answers at all. */
let refusals = 0;

function answerFactory(): void {
  const question = receiveMessage(addon, factory);
  if (typeof question !== "object" || refusals < 0) return;
  const socket = refusals-- > 0 ? noDescriptor : addon.socket(question.value);
  refusals = Math.max(refusals, 0);
  if (socket === noDescriptor) {
    sendMessage(addon, factory, "socket", { value: 0, step: EMFILE });
    return;
  }
  sendMessage(addon, factory, "socket", { descriptors: [socket] });
  addon.closeDescriptor(socket);
}

const watch = addon.watch(factory, answerFactory, false);
const answer = (message: SandboxAnswer) => void process.send?.(message);

function listen(): void {
  const [listener] = openListeners(addon, [{ kind: "tcp", host: "127.0.0.1", port: 0 }]);
  if (listener === undefined) throw new Error("no listener");
  sendMessage(addon, listeners, "listener", { descriptors: [listener.fd] });
  addon.closeDescriptor(listener.fd);
  answer({ address: listener.address as Address });
}

process.on("message", (question: SandboxQuestion) => {
  switch (question.kind) {
    case "listen":
      listen();
      return;
    case "serve": {
      const server = createServer();
      server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => {
        const { port } = server.address() as { port: number };
        // From then on only the one who has asked holds it.
        process.send?.({ address: { kind: "tcp", host: "127.0.0.1", port } }, server, undefined, () => server.close());
      });
      return;
    }
    case "connect": {
      const socket = netConnect({ host: "127.0.0.1", port: question.port, allowHalfOpen: true });
      socket.pause();
      socket.once("connect", () => process.send?.({ address: null }, socket));
      return;
    }
    case "refuse-sockets":
      refusals = question.count;
      answer({ address: null });
      return;
    case "close-factory":
      addon.unwatch(watch);
      addon.closeDescriptor(factory);
      answer({ address: null });
      return;
  }
});
