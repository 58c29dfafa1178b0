/**
 * What `fence config --help` prints.
 *
 * Runs:     host. Pure.
 * Source:   docs/configuration.md
 */
export const configHelp = `Usage: fence config show [-s FILE | -t NAME] [--json]
       fence config init [-t NAME] [--user]
       fence config schema | templates

  show       the merged policy, and which file said what
  init       write a commented fence.jsonc here; never overwrites
  schema     the JSON Schema of fence.json and fence.jsonc, for editors
  templates  the settings that come with fence

  -s, --settings FILE  this file, instead of the one that is found: the nearest
                       fence.json or fence.jsonc here or above, else the one
                       in $XDG_CONFIG_HOME/fence or ~/.config/fence
  -t, --template NAME  show this template; init: build upon it
      --user           init: write ~/.config/fence/fence.jsonc instead
      --json           show: as one JSON object
  -h, --help
`;
