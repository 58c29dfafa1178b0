import { expect, test } from "vitest";
import { isolationLayers } from "../../../src/plan/policy.ts";
import { docText } from "../../kit/docs.ts";
import { load } from "../../kit/settings.ts";

/** The two files of the section, as they are shown. */
function shownFiles(): readonly string[] {
  const section = /^### By example\n(.*?)^## /ms.exec(docText("configuration.md"))?.[1] ?? "";
  return [...section.matchAll(/^```json\n(.*?)^```$/gms)].map(([, json = ""]) => json);
}

test("the example of merging comes to what the page says", () => {
  const [user = "", project = ""] = shownFiles();
  const { policy, notes } = load({ "/home/user/.config/fence/fence.json": user, "/work/project/fence.json": project });
  const { denyRead } = policy.filesystem;
  expect(denyRead.slice(-2)).toEqual(["/home/user/letters", "/work/project/data/private"]);
  expect(denyRead.length).toBeGreaterThan(2);
  expect(policy.filesystem.allowGitConfig).toBe(true);
  expect(notes.find(({ where }) => where === "filesystem.allowGitConfig")?.says).toContain("cannot take it back");
  expect(policy.command.deny).toContain("git push");
  expect(policy.command.allow).toContain("git push origin docs");
  expect(isolationLayers.filter((layer) => policy.isolation[layer] !== "required")).toEqual(["cgroup", "nested-user"]);
  expect(policy.network.allowLocalOutboundPorts).toEqual([5432]);
});
