/**
 * What `--help` prints.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: fits a terminal of 80 columns; names every option, and no other.
 * Source:   docs/options.md
 */
export const generalHelp = `fence: run a program with exactly the files and network it was granted

Usage:
  fence bootstrap [OPTION]... [--] PROGRAM [ARG]...
      set the sandbox up from the inside, then become PROGRAM
  fence bridge [--debug] LISTEN=CONNECT...
      relay connections in the foreground
  fence --version | --help

Each command explains itself: fence bootstrap --help
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
