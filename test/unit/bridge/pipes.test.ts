import { expect, test } from "vitest";
import { PipePool, pipeBytes } from "../../../src/bridge/pipes.ts";
import type { Addon } from "../../../src/sys/addon.ts";

const EMFILE = 24;
const EPERM = 1;

test("a pipe that was given back is given out again", () => {
  const { pool, open } = fakePipes();
  const pipe = pool.take();
  expect(pipe).not.toBeNull();
  if (pipe !== null) pool.give(pipe);
  expect(pool.take()).toBe(pipe);
  expect(open.size).toBe(2);
});

test("no more than 32 pipes are kept for later", () => {
  const { pool, open } = fakePipes();
  const taken = Array.from({ length: 40 }, () => pool.take());
  expect(open.size).toBe(80);
  for (const pipe of taken) if (pipe !== null) pool.give(pipe);
  expect(open.size).toBe(64);
  expect(pool.closeIdle()).toBe(true);
  expect(open.size).toBe(0);
  expect(pool.closeIdle()).toBe(false);
});

test("a pipe that is discarded is closed", () => {
  const { pool, open } = fakePipes();
  const pipe = pool.take();
  if (pipe !== null) pool.discard(pipe);
  expect(open.size).toBe(0);
});

test("without descriptors there is no pipe, and the kernel is asked again only now and then", () => {
  const { pool, faults, asked } = fakePipes();
  faults.pipe = -EMFILE;
  expect(pool.take()).toBeNull();
  expect(pool.scarce).toBe(true);
  for (let i = 0; i < 100; i++) expect(pool.take()).toBeNull();
  expect(asked()).toBeLessThan(4);
  faults.pipe = 0;
  const later = Array.from({ length: 100 }, () => pool.take());
  expect(later.some((pipe) => pipe !== null)).toBe(true);
  expect(pool.scarce).toBe(false);
});

test("a pipe that the kernel keeps small is closed: past the user's limit bytes are copied", () => {
  const { pool, faults, open } = fakePipes();
  faults.size = -EPERM;
  expect(pool.take()).toBeNull();
  expect(open.size).toBe(0);
  expect(pool.scarce).toBe(true);
});

test("a pipe that comes back ends the shortage", () => {
  const { pool, faults } = fakePipes();
  const pipe = pool.take();
  faults.pipe = -EMFILE;
  expect(pool.take()).toBeNull();
  if (pipe !== null) pool.give(pipe);
  expect(pool.scarce).toBe(false);
  expect(pool.take()).toBe(pipe);
});

function fakePipes() {
  const open = new Set<number>();
  const faults = { pipe: 0, size: pipeBytes };
  let next = 10;
  let asked = 0;
  const calls: Partial<Addon> = {
    pipe: (ends) => {
      asked++;
      if (faults.pipe < 0) return faults.pipe;
      ends.set([next++, next++]);
      for (const end of ends) open.add(end);
      return 0;
    },
    setPipeSize: () => faults.size,
    closeDescriptor: (fd) => (open.delete(fd) ? 0 : -9),
  };
  return { pool: new PipePool(calls as Addon), open, faults, asked: () => asked };
}
