/**
 * The settings that come with fence.
 *
 * Runs:     host. Pure.
 * Promises: each is read by the same rules as a file; none says a key that has no effect here.
 * Source:   docs/configuration.md; the names are those of the Go fence
 */
import { type Settings, settingsSchema } from "./keys.ts";

export const templateNames = [
  "code",
  "code-relaxed",
  "code-strict",
  "disable-telemetry",
  "git-readonly",
  "local-dev-server",
] as const;
export type TemplateName = (typeof templateNames)[number];

interface Template {
  /** One line, for `fence config templates`. */
  readonly description: string;
  /** As a settings file would say it. */
  readonly says: object;
}

/** Throws nothing: a test reads them all. */
export function templateSettings(name: TemplateName): Settings {
  return settingsSchema.parse(templates[name].says, "the settings");
}

const modelHosts = [
  "*.anthropic.com",
  "api.openai.com",
  "generativelanguage.googleapis.com",
  "api.mistral.ai",
  "api.cohere.ai",
  "api.together.xyz",
  "openrouter.ai",
  "api.morphllm.com",
  "*.amazonaws.com",
  "models.dev",
];
const agentHosts = [
  "opencode.ai",
  "api.opencode.ai",
  "ampcode.com",
  "*.ampcode.com",
  "*.factory.ai",
  "api.workos.com",
  "*.cursor.sh",
  "data.charm.land",
  "catwalk.charm.sh",
  "*.githubcopilot.com",
];
const forgeHosts = [
  "github.com",
  "api.github.com",
  "raw.githubusercontent.com",
  "codeload.github.com",
  "objects.githubusercontent.com",
  "release-assets.githubusercontent.com",
  "gitlab.com",
];
const packageHosts = [
  "*.npmjs.org",
  "registry.yarnpkg.com",
  "pypi.org",
  "files.pythonhosted.org",
  "crates.io",
  "static.crates.io",
  "index.crates.io",
  "proxy.golang.org",
  "sum.golang.org",
  "formulae.brew.sh",
];
/** They hand out the machine's own credentials. */
const metadataHosts = ["169.254.169.254", "metadata.google.internal", "instance-data.ec2.internal"];
const telemetryHosts = [
  "sentry.io",
  "*.sentry.io",
  "*.posthog.com",
  "statsig.com",
  "*.statsig.com",
  "statsig.anthropic.com",
  "*.segment.io",
  "*.segment.com",
  "*.amplitude.com",
  "*.mixpanel.com",
  "*.heap.io",
  "*.heapanalytics.com",
  "*.fullstory.com",
  "*.hotjar.com",
  "*.hotjar.io",
  "*.logrocket.io",
  "*.logrocket.com",
  "*.bugsnag.com",
  "*.rollbar.com",
  "*.datadog.com",
  "*.datadoghq.com",
  "*.newrelic.com",
  "*.nr-data.net",
  "*.launchdarkly.com",
  "*.split.io",
  "*.pendo.io",
  "*.intercom.io",
  "*.intercom.com",
  "*.appsflyer.com",
  "*.adjust.com",
  "*.branch.io",
  "crashlytics.com",
  "*.crashlytics.com",
];

/**
 * Where agents keep what they need to go on. Not all of ~/.config and ~/.local/share: there are files of shells and desktops
 * that run what they hold.
 */
const agentPlaces = [
  "~/.amp",
  "~/.claude",
  "~/.claude*",
  "~/.codex",
  "~/.config/amp",
  "~/.config/crush",
  "~/.config/cursor",
  "~/.config/github-copilot",
  "~/.config/goose",
  "~/.config/opencode",
  "~/.copilot",
  "~/.cursor",
  "~/.factory",
  "~/.gemini",
  "~/.kiro",
  "~/.local/share/amp",
  "~/.local/share/crush",
  "~/.local/share/goose",
  "~/.local/share/opencode",
  "~/.local/state/opencode",
  "~/.opencode",
  "~/.pi",
];
const cachePlaces = [
  "~/.bun/install/cache",
  "~/.cache",
  "~/.cargo/.package-cache",
  "~/.cargo/git",
  "~/.cargo/registry",
  "~/.local/share/pnpm/store",
  "~/.local/share/uv",
  "~/.npm/_cacache",
  "~/.npm/_npx",
  "~/.zcompdump*",
];
/** Not `**`: a tree of any size is to be planned in no time. Each a pattern: nothing needs to be there. */
const keyDirectories = ["", "*/", "apps/*/", "packages/*/", "services/*/"];
const keyNames = ["*.env", ".env.*", "*.key", "*.pem", "*.p12", "*.pfx"];
const keyFiles = keyDirectories.flatMap((directory) => keyNames.map((name) => `${directory}${name}`));
const credentials = [
  "~/.ssh", // keys have any name there
  "~/.gnupg",
  "~/.aws",
  "~/.config/gcloud",
  "~/.kube",
  "~/.docker",
  "~/.pypirc",
  "~/.netrc",
  "~/.git-credentials",
  "~/.cargo/credentials",
  "~/.cargo/credentials.toml",
];

/** In a directory of `credentials`, and none. */
const shownCredentials = ["~/.ssh/known_hosts"];

const gitDenied = ["git push", "git reset", "git clean", "git checkout --", "git rebase", "git merge"];
const publishing = ["npm publish", "pnpm publish", "yarn publish", "cargo publish", "twine upload", "gem push"];
const forgeDenied = [
  ...["create", "merge", "close", "reopen", "review", "comment"].map((verb) => `gh pr ${verb}`),
  ...["create", "delete"].map((verb) => `gh release ${verb}`),
  ...["create", "fork", "delete"].map((verb) => `gh repo ${verb}`),
  ...["create", "close", "comment"].map((verb) => `gh issue ${verb}`),
  "gh gist create",
  "gh workflow run",
  "gh api",
  "gh auth login",
  ...["secret", "variable"].flatMap((thing) => [`gh ${thing} set`, `gh ${thing} delete`]),
];

/** None names /tmp: each sandbox has one of its own. In the host's there are sockets, such as tmux's, that run what they are told. */
export const templates: Readonly<Record<TemplateName, Template>> = {
  code: {
    description: "coding agents: model, forge and package hosts; writes here and in caches; keys unreadable",
    says: {
      network: {
        allowLocalBinding: true,
        allowLocalOutbound: true,
        allowedDomains: [...modelHosts, ...agentHosts, ...forgeHosts, ...packageHosts],
        deniedDomains: [...metadataHosts, "statsig.anthropic.com", "*.sentry.io"],
      },
      filesystem: {
        allowWrite: [".", ...agentPlaces, ...cachePlaces],
        denyWrite: keyFiles,
        denyRead: credentials,
        allowRead: shownCredentials,
      },
      command: { deny: [...gitDenied, ...publishing, "sudo", ...forgeDenied] },
    },
  },
  "code-relaxed": {
    description: "code with the host's network, for programs that ignore proxies",
    says: { extends: "code", network: { allowedDomains: ["*"] } },
  },
  "code-strict": {
    description: "code that reads only this directory, system directories and agents' own files",
    says: {
      extends: "code",
      filesystem: {
        defaultDenyRead: true,
        allowRead: [
          ".",
          ...agentPlaces.filter((path) => !path.includes("*")),
          "~/.claude.json",
          "~/.config",
          "~/.cache",
        ],
      },
    },
  },
  "disable-telemetry": {
    description: "the host's network without analytics and error reporting",
    says: {
      network: {
        allowLocalBinding: true,
        allowLocalOutbound: true,
        allowedDomains: ["*"],
        deniedDomains: telemetryHosts,
      },
      filesystem: { allowWrite: [".", ...agentPlaces, ...cachePlaces] },
    },
  },
  "git-readonly": {
    description: "fetches from forges; commands that change repositories elsewhere or destroy work are denied",
    says: {
      network: { allowedDomains: forgeHosts },
      filesystem: { allowWrite: ["."] },
      command: { deny: [...gitDenied, "git commit", "git tag", "git branch -D", "rm -rf", ...forgeDenied] },
    },
  },
  "local-dev-server": {
    description: "servers on loopback; writes here and in a /tmp of its own",
    says: {
      network: { allowLocalBinding: true, allowLocalOutbound: true },
      filesystem: { allowWrite: ["."] },
    },
  },
};
