/**
 * Who else has a file open that has no name.
 *
 * Runs:     host.
 * Source:   proc_pid_fd(5)
 */
import { readdirSync, readlinkSync } from "node:fs";

/** The processes of this user, but for this one, that have either end of the pipe open which is this descriptor. */
export function holdersOf(pipe: number): readonly number[] {
  const name = readlinkSync(`/proc/self/fd/${pipe}`);
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((pid) => openFilesOf(pid).includes(name))
    .map(Number);
}

/** None of who has ended meanwhile, or is another user's. */
function openFilesOf(pid: string): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).map((descriptor) => linkOrEmpty(`${folder}/${descriptor}`));
  } catch {
    return [];
  }
}

function linkOrEmpty(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // it was closed
  }
}
