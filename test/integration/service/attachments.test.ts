import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import addon from "landlock-napi/addon";
import { expect, onTestFinished, test } from "vitest";
import { encodeAddress } from "../../../src/bridge/sockaddr.ts";
import { type Attachment, Attachments } from "../../../src/service/attachments.ts";
import { messagePair, sendMessage } from "../../../src/sys/protocol.ts";

const folder = mkdtempSync(join(tmpdir(), "attachments-"));
const path = join(folder, "commands");

test("whoever connects and says nothing keeps no command from its launch", async () => {
  const { promise, resolve } = Promise.withResolvers<Attachment>();
  const attachments = new Attachments(addon, path, process.geteuid?.() ?? 0, resolve);
  const silent = Array.from({ length: 1000 }, connected);
  const command = connected();
  const pair = messagePair(addon);
  if (typeof pair === "number") throw new Error(`socketpair: ${pair}`);
  sendMessage(addon, command, "attach", { value: 0x1f, index: 2, descriptors: pair });
  onTestFinished(() => {
    for (const fd of [...silent, command, ...pair]) addon.closeDescriptor(fd);
    attachments.close();
    rmSync(folder, { recursive: true });
  });
  const { id, setup, life } = await promise;
  expect(id).toBe("0000001f-00000002");
  for (const fd of [setup, life]) expect(addon.closeDescriptor(fd)).toBe(0);
});

function connected(): number {
  const socket = addon.packetSocket();
  expect(addon.connect(socket, encodeAddress({ kind: "unix", path }))).toBe(0);
  return socket;
}
