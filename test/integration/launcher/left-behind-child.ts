/**
 * A process that holds a mount point until it is killed.
 *
 * Runs:     in a child process of the mount points' tests; the argument is the path.
 */
import addon from "landlock-napi/addon";
import { hostPath } from "../../../src/base/paths.ts";
import { MountPoints } from "../../../src/launcher/left-behind.ts";

const points = new MountPoints(addon, [hostPath(process.argv[2] ?? "")], process.geteuid?.() ?? 0);
process.on("message", () => points.release());
process.send?.("held");
