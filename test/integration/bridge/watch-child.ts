/**
 * A watch in a process, or in worker threads, of its own.
 *
 * Runs:     in a child process of the watch tests; the argument names what it does.
 */
import { isMainThread, Worker } from "node:worker_threads";
import addon from "landlock-napi/addon";

function readablePipe(): number {
  const ends = new Int32Array(2);
  addon.pipe(ends);
  const [readEnd = -1, writeEnd = -1] = ends;
  addon.writePipe(writeEnd, Buffer.from("x"), 0, 1);
  return readEnd;
}

function emptyPipe(): number {
  const ends = new Int32Array(2);
  addon.pipe(ends);
  return ends[0] ?? -1;
}

const actions: Readonly<Record<string, () => void>> = {
  "callback throws": () => {
    process.on("uncaughtException", (error) => {
      console.log(`uncaught: ${error.message}`);
      process.exit(3);
    });
    addon.watch(
      readablePipe(),
      () => {
        throw new Error("from the callback");
      },
      true,
    );
  },
  "does not keep the loop alive": () => {
    addon.watch(emptyPipe(), () => {}, false);
  },
  "keeps the loop alive": () => {
    const watch = addon.watch(emptyPipe(), () => {}, true);
    process.on("beforeExit", () => console.log("too early"));
    process.stdin.once("end", () => {
      addon.unwatch(watch);
      process.removeAllListeners("beforeExit");
      console.log("unwatched");
    });
    process.stdin.resume().unref();
  },
  "ends with workers that watch": async () => {
    for (let i = 0; i < 10; i++) {
      const worker = new Worker(new URL(import.meta.url), { argv: ["watches for ever"] });
      await new Promise((resolve) => worker.once("message", resolve));
      await worker.terminate();
    }
    console.log("10 workers have ended");
  },
  "watches for ever": async () => {
    const { parentPort } = await import("node:worker_threads");
    addon.watch(emptyPipe(), () => {}, true);
    const busy = addon.watch(readablePipe(), () => parentPort?.postMessage(busy), true);
    addon.unwatch(addon.watch(emptyPipe(), () => {}, true));
  },
};

if (isMainThread || process.argv[2] === "watches for ever") actions[process.argv[2] ?? ""]?.();
