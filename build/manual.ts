/**
 * Makes the manual page docs/fence.1.
 *
 * Runs:     on the build machine (npm run schema); a test fails when the file is not the present one.
 * Source:   man(7)
 */
import { type OptionTable, type OptionText, optionNames } from "../src/base/command-line.ts";
import { errorCodes } from "../src/base/errors.ts";
import { bootstrapOptions } from "../src/bootstrap/command-line.ts";
import { completedCommands } from "../src/cli/completed-commands.ts";
import { templateNames, templates } from "../src/config/templates.ts";
import { runOptions } from "../src/launcher/run-options.ts";

interface ShownOption extends OptionText {
  /** `-d`, `--debug`. */
  readonly words: readonly string[];
  readonly isMany: boolean;
}

/** In the order of the texts. */
export function shownOptions<N extends string>(table: OptionTable<N>): readonly ShownOption[] {
  const names = Object.keys(table.texts) as N[];
  return names.flatMap((name) => {
    const text = table.texts[name];
    if (text === undefined || !optionNames(table).includes(name)) return [];
    const letters = Object.keys(table.short).filter((letter) => table.short[letter] === name);
    return [
      { ...text, words: [...letters.map((letter) => `-${letter}`), `--${name}`], isMany: table.kinds[name] === "many" },
    ];
  });
}

/** For roff: hyphens are minus signs, backslashes themselves, and no line is a request. */
function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("'", "\\(aq").replace(/^\./, "\\&.");
}

function optionsText<N extends string>(table: OptionTable<N>): string {
  return shownOptions(table)
    .map(({ words, value, says, isMany }) => {
      const head = words.map((word) => `\\fB${roff(word)}\\fR`).join(", ");
      const argument = value === "" ? "" : ` \\fI${roff(value)}\\fR`;
      const sentence = `${says.charAt(0).toUpperCase()}${says.slice(1)}${isMany ? "; repeatable" : ""}.`;
      return `.TP\n${head}${argument}\n${roff(sentence)}\n`;
    })
    .join("");
}

function list(rows: readonly (readonly [string, string])[]): string {
  return rows.map(([head, text]) => `.TP\n\\fB${roff(head)}\\fR\n${roff(text)}\n`).join("");
}

const configTexts = completedCommands({ run: runOptions, bootstrap: bootstrapOptions })
  .filter(({ name }) => name.startsWith("config "))
  .map(({ name, table }) => `.SS fence ${roff(name)}\n${optionsText(table)}`)
  .join("");

export const manual = `.TH FENCE 1
.SH NAME
fence \\- run a program with exactly the files and network it was granted
.SH SYNOPSIS
.nf
\\fBfence\\fR [\\fBrun\\fR] [\\fIOPTION\\fR]... [\\fB\\-\\-\\fR] \\fIPROGRAM\\fR [\\fIARG\\fR]...
\\fBfence\\fR [\\fBrun\\fR] [\\fIOPTION\\fR]... \\fB\\-c\\fR \\fICOMMAND\\fR
\\fBfence config show\\fR|\\fBinit\\fR|\\fBschema\\fR|\\fBtemplates\\fR [\\fIOPTION\\fR]...
\\fBfence check\\fR [\\fB\\-\\-json\\fR]
\\fBfence bootstrap\\fR [\\fIOPTION\\fR]... [\\fB\\-\\-\\fR] \\fIPROGRAM\\fR [\\fIARG\\fR]...
\\fBfence bridge\\fR [\\fB\\-\\-debug\\fR] \\fILISTEN\\fR=\\fICONNECT\\fR...
\\fBfence completion bash\\fR|\\fBzsh\\fR|\\fBfish\\fR
\\fBfence \\-\\-version\\fR | \\fB\\-\\-help\\fR
.fi
.SH DESCRIPTION
\\fBfence\\fR runs a program in a Linux sandbox.
Without settings the program reads the host\\(aqs files, writes none of them, and has no network.
What it may do beyond that is said in a settings file, by a template, and by options.
.PP
\\fBrun\\fR may be left out: a first word that is no command of fence is the program.
A program that is called like a command stands behind \\fB\\-\\-\\fR: \\fBfence \\-\\- config\\fR.
.PP
\\fBfence bootstrap\\fR sets a sandbox up from the inside and becomes the program; \\fBfence bridge\\fR relays connections.
Their options are listed by \\fBfence bootstrap \\-\\-help\\fR and \\fBfence bridge \\-\\-help\\fR.
.SH OPTIONS OF FENCE RUN
${optionsText(runOptions)}.SH OPTIONS OF FENCE CONFIG
${configTexts}.SH TEMPLATES
${list(templateNames.map((name) => [name, `${templates[name].description}.`]))}.SH FILES
.TP
\\fBfence.json\\fR, \\fBfence.jsonc\\fR
The settings, in the working directory or above it. Comments and trailing commas are allowed.
.TP
\\fB$XDG_CONFIG_HOME/fence/\\fR, \\fB~/.config/fence/\\fR
Where the file is looked for when none is there.
.SH EXIT STATUS
The program\\(aqs own, or 128+n after signal n. Otherwise:
${list([
  ["125", "fence itself failed."],
  ["126", "The program was found and cannot run."],
  ["127", "The program was not found."],
])}.SH ERRORS
Every failure is one report on standard error, with one of these codes:
${list(Object.entries(errorCodes).map(([code, { says }]) => [code, says]))}.SH EXAMPLES
${list([
  ["fence -t code -- npm install", "Install packages, with the hosts and directories of the template code."],
  ["fence --allow-write . -p 3000 npm run dev", "Run a server and reach it at http://127.0.0.1:3000/."],
  ["fence --dry-run make", "Say what a sandbox for make would be."],
  ["fence config show", "Say what holds here, and which file says so."],
])}.SH SEE ALSO
\\fBbwrap\\fR(1), \\fBlandlock\\fR(7), \\fBseccomp\\fR(2), \\fBnamespaces\\fR(7)
`;
