/**
 * What `--help` prints.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: fits a terminal of 80 columns; names every option, and no other.
 * Source:   docs/options.md
 */
export const generalHelp = `fence: run a program with exactly the files and network it was granted

Usage:
  fence [run] [OPTION]... [--] PROGRAM [ARG]...
      run PROGRAM in a sandbox; fence -- config runs a program called config
  fence config show|init|schema|templates
      what the sandbox may do, and who said so
  fence check [--json]
      what this host can isolate, and what is missing
  fence bootstrap [OPTION]... [--] PROGRAM [ARG]...
      set the sandbox up from the inside, then become PROGRAM
  fence bridge [--debug] LISTEN=CONNECT...
      relay connections in the foreground
  fence completion bash|zsh|fish
      complete these words in a shell
  fence --version | --help

Each command explains itself: fence run --help
`;

export const runHelp = `Usage: fence [run] [OPTION]... [--] PROGRAM [ARG]...
       fence [run] [OPTION]... -c COMMAND

Runs PROGRAM in a sandbox: no network but what is allowed, files read-only but
where it may write. What it may do says the nearest fence.json or fence.jsonc
here or above, else ~/.config/fence/fence.json; see fence config --help.

Settings:
  -s, --settings FILE      this file instead
  -t, --template NAME      a template instead: fence config templates
For this run, beside the settings (all repeatable):
  --allow-read PATH        read, list and execute
  --allow-execute PATH     execute, without listing its directory
  --allow-write PATH       write, and read and execute
  --deny-read PATH  --deny-write PATH
  --mask PATH              an empty file or directory in its place
  --allow-domain HOST  --deny-domain HOST
                           example.com or *.example.com
  --local-port PORT        a port of the host's loopback
  -p, --publish [ADDR:][HOSTPORT:]PORT
                           a port of the sandbox, for the host (at 127.0.0.1)
Network:
  --http-proxy ADDR  --socks-proxy ADDR
                           reach hosts through these, which decide about them:
                           tcp:HOST:PORT, unix:PATH, http://HOST:PORT,
                           socks5://HOST:PORT
Environment and directory:
  --env NAME=VALUE  --unset-env NAME  --clear-env  --chdir DIR
Isolation:
  --isolation strict|best-effort
                           when a layer cannot be had (default: strict)
  --backend bwrap|landlock landlock: without namespaces (default: bwrap)
  --force-new-session      a session of its own: no Ctrl-C, no job control
  --no-fast-path           let a Node in the sandbox set it up and relay: slower
  --verify                 try the restrictions before PROGRAM starts; implies
                           --no-fast-path
Other:
  -c, --command COMMAND    for the sandbox's own shell, instead of PROGRAM
  --dry-run [--json]       say what would be done, and do nothing
  --linux-features [--json]
                           what fence check prints
  --status-fd N            report as JSON lines on this descriptor
  -m, --monitor            say what was denied
  -d, --debug              say what is done
  --fence-log-file FILE    both go there instead of standard error
  -h, --help

Exit status: PROGRAM's own, or 128+n after signal n; 125 fence failed,
126 PROGRAM cannot run, 127 PROGRAM not found.
`;

export const checkHelp = `Usage: fence check [--json]

Tries what a sandbox needs on this host, one by one, and says what each is for
and what to do where it is missing. Nothing is changed.

  --json  one JSON object instead of the table
`;

export const completionHelp = `Usage: fence completion bash|zsh|fish

Prints what completes fence's words in that shell:

  bash  fence completion bash > ~/.local/share/bash-completion/completions/fence
  zsh   fence completion zsh > DIR/_fence, with DIR in fpath
  fish  fence completion fish > ~/.config/fish/completions/fence.fish
`;

export const bridgeHelp = `Usage: fence bridge [--debug] LISTEN=CONNECT...

Accepts connections on LISTEN and relays each to CONNECT, until SIGINT or
SIGTERM. Both are tcp:HOST:PORT (a listener only on loopback) or unix:PATH.
Half-close, resets and back-pressure are passed on; no data is lost. Prints one
line when every listener is open.

  --debug  say why a connection failed, and at the end what each bridge has done
`;

export const bootstrapHelp = `Usage: fence bootstrap [OPTION]... [--] PROGRAM [ARG]...

Sets the sandbox up from the inside and becomes PROGRAM: same process, same
arguments, no child.

Network:
  --bridge LISTEN=CONNECT  accept on LISTEN, relay to CONNECT; repeatable;
                           each tcp:HOST:PORT or unix:PATH
  --allow-non-loopback     let bridges listen beyond loopback: any host that
                           reaches the sandbox's network can connect
  --http-proxy CONNECT     bridge on 127.0.0.1:3128, announced in HTTP_PROXY,
                           HTTPS_PROXY
  --socks-proxy CONNECT    bridge on 127.0.0.1:1080, announced in ALL_PROXY
  --no-proxy LIST          hosts reached without a proxy
                           (default: localhost,127.0.0.1,::1)
  --no-all-proxy           do not announce ALL_PROXY
Environment and directory:
  --env NAME=VALUE  --unset-env NAME  --clear-env  --chdir DIR
Landlock (any file rule makes every other file inaccessible, any TCP or UDP port
every other port of its kind; all but the last two are repeatable):
  --ro PATH                read files and directories
  --rox PATH               ... and execute
  --rw PATH                read and write
  --rwx PATH               read, write and execute
  --unix PATH              connect to Unix sockets beneath PATH and to no other
  --bind-tcp PORT          listen on this TCP port
  --connect-tcp PORT       connect to this TCP port
  --bind-udp PORT          receive on this UDP port
  --connect-udp PORT       send to this UDP port
  --scope signal|abstract-unix
                           signals, abstract Unix sockets: only in the sandbox
  --quiet PATH|PORT|SCOPE  leave its denials out of the kernel's audit log
  --landlock-log same-exec-off|new-exec-on|subdomains-off
                           what else that log has, landlock_restrict_self(2)
  --landlock required|best-effort|off
                           when the kernel cannot (default: required)
  --ignore-missing         skip rules whose PATH does not exist
Other:
  --seccomp default|strict|off
                           the system call filter (default: default)
  --init                   stay as a reaper and signal forwarder: for PID 1 of a
                           container, and so that what the program wrote last
                           is delivered
  --verify                 before the program starts, a throw-away child under
                           the same restrictions tries what must fail and what
                           must succeed
  --plan FILE|-            a JSON plan instead of options; - is standard input
  --plan-fd N              the same from an open descriptor
  --status-fd N            report as JSON lines on this descriptor
  --debug                  say what is done on standard error
  --help

Exit status: PROGRAM's own; 125 fence failed, 126 PROGRAM cannot run,
127 PROGRAM not found.
`;
