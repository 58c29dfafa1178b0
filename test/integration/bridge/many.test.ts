import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect } from "vitest";
import { formatAddress } from "../../../src/bridge/address.ts";
import { type Stage, test, type Way, ways } from "../../kit/bridges.ts";
import { digest, payload, received } from "../../kit/bytes.ts";

/** Of each way. */
const connections = 2500;
/** More than one bridge takes: the others wait. */
const atATime = 1200;
const largest = 1 << 20;
/** Every payload is a part of these bytes, so that both ends know what is to come. */
const pool = payload(2 * largest);

/** What one side of one connection sends: a part of the pool, written in pieces. */
interface Sending {
  readonly start: number;
  readonly sizeBytes: number;
}

/** Most are small, a few are large; one in nine is empty. */
function randomSending(random: () => number): Sending {
  const sizeBytes = random() < 1 / 9 ? 0 : Math.floor(largest ** random());
  return { start: Math.floor(random() * largest), sizeBytes };
}

test("10,000 connections, all ways at once, deliver all bytes in both directions", async ({ stage }) => {
  const random = generator();
  const ends = await Promise.all(ways.map((way) => prepared(stage, way, random)));
  const bridge = stage.process(["--debug", ...ends.map(({ specification }) => specification)]);
  expect(await bridge.ready).toContain("ready");
  await Promise.all(
    ends.map(({ listen, requests, answers }) =>
      concurrently(connections, atATime, async () => {
        const [up, down] = [randomSending(random), randomSending(random)];
        const request = Buffer.concat([header(down), part(up)]);
        requests.expected.push(digest(request));
        answers.expected.push(`${digest(part(down))} end`);
        const client = stage.client(listen);
        const [answer] = await Promise.all([received(client), send(client, request, random)]);
        answers.arrived.push(`${answer.digest} ${answer.end}`);
      }),
    ),
  );
  // An answer may arrive whole before the request has: its end is not yet on its way, and no bridge can know of it.
  await Promise.all(ends.map(({ allAsked }) => allAsked));
  bridge.signal("SIGTERM");
  const { status, stderr } = await bridge.ended();
  expect(stderr.match(/: 2500 accepted, 0 refused, 0 open/g)).toHaveLength(ways.length);
  expect(status).toBe(0);
  for (const { requests, answers } of ends) {
    expect(answers.arrived).toHaveLength(connections);
    expect(answers.arrived.toSorted()).toEqual(answers.expected.toSorted());
    expect(requests.arrived.toSorted()).toEqual(requests.expected.toSorted());
  }
});

/** A listener's address, and a target that answers; what is to arrive at both ends, and what has. */
async function prepared(stage: Stage, [listenKind, connect]: Way, random: () => number) {
  const requests = { expected: [] as string[], arrived: [] as string[] };
  const answers = { expected: [] as string[], arrived: [] as string[] };
  const allAsked = Promise.withResolvers<void>();
  const target = await stage.target(connect, async (socket) => {
    if (requests.arrived.push(await answer(socket, random)) === connections) allAsked.resolve();
  });
  const listen = listenKind === "unix" ? stage.freeAddress("unix") : await stage.refusingTarget(listenKind);
  return {
    specification: `${formatAddress(listen)}=${formatAddress(target)}`,
    listen,
    requests,
    answers,
    allAsked: allAsked.promise,
  };
}

/** The target: reads the request to its end, and from its beginning on sends what that asks for. Answers its digest. */
async function answer(socket: Socket, random: () => number): Promise<string> {
  const request = received(socket);
  let head = Buffer.alloc(0);
  const asked = Promise.withResolvers<Sending>();
  socket.on("data", function read(bytes: Buffer) {
    head = Buffer.concat([head, bytes]);
    if (head.length < headerBytes) return;
    socket.off("data", read);
    asked.resolve({ start: head.readUInt32LE(0), sizeBytes: head.readUInt32LE(4) });
  });
  await send(socket, part(await asked.promise), random);
  const { digest, end } = await request;
  return end === "end" ? digest : end;
}

const headerBytes = 8;

function header({ start, sizeBytes }: Sending): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  bytes.writeUInt32LE(start, 0);
  bytes.writeUInt32LE(sizeBytes, 4);
  return bytes;
}

function part({ start, sizeBytes }: Sending): Buffer {
  return pool.subarray(start, start + sizeBytes);
}

/** In one to eight pieces, between which others have their turn; then the half-close. */
async function send(socket: Socket, bytes: Buffer, random: () => number): Promise<void> {
  const pieceBytes = Math.ceil((bytes.length + 1) / Math.ceil(8 * random()));
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    socket.write(bytes.subarray(at, at + pieceBytes));
    await nextTurn();
  }
  socket.end();
}

/** Does it so often, so many at a time. */
async function concurrently(times: number, limit: number, work: () => Promise<void>): Promise<void> {
  let left = times;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: limit }, worker));
}

/** Numbers from 0 to 1, the same in every run. */
function generator(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
