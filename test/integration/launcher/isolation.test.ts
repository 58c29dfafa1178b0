import { beforeEach, expect, test } from "vitest";
import { missingUnderBwrap, weakerUnderBwrap } from "../../../src/plan/isolation.ts";
import { type Enter, systemContainer, usualCapabilities } from "../../kit/places-restricted.ts";
import { requires } from "../../kit/requires.ts";
import { ask } from "./ask.ts";

beforeEach(requires("root", "bwrap", "unshare", "crun"));

const container = systemContainer({ capabilities: usualCapabilities, masked: true, user: { uid: 1000, gid: 1000 } });

const withoutNetworks: Enter = (command) => [
  ...["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c"],
  ...['echo 0 > /proc/sys/user/max_net_namespaces && exec "$@"', "sh", ...command],
];

test.for<[where: string, enter: Enter, lacks: Readonly<Record<string, string>>]>([
  ["in a usual container", container, { pid: weakerUnderBwrap.pid, "nested-user": missingUnderBwrap["nested-user"] }],
  ["where network namespaces are used up", withoutNetworks, { network: missingUnderBwrap.network }],
])("best-effort, %s: the second start goes on without what is missing, and says so", async ([, enter, lacks]) => {
  const { first, second, effective } = await ask(enter, "again");
  expect(first.status).toBe(1);
  expect(second).toMatchObject({ status: 0, stdout: expect.stringMatching(/^bubblewrap /), stderr: "" });
  const gone = effective.layers.filter(({ says }: { says: string | null }) => says !== null);
  expect(Object.fromEntries(gone.map(({ layer, says }: { layer: string; says: string }) => [layer, says]))).toEqual(
    lacks,
  );
  for (const { why } of gone) expect(why).toMatch(/\S/);
});
