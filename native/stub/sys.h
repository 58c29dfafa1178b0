/*
 * The system calls that the stub makes, typed. Each returns its result or -errno.
 *
 * Runs:     wherever the stub runs.
 * Promises: keeps no state: there is no errno variable.
 * Source:   the manual page of each call
 */
#ifndef FENCE_STUB_SYS_H
#define FENCE_STUB_SYS_H

#include "arch.h"

#include <asm/errno.h>
#include <asm/unistd.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/stat.h>
#include <linux/wait.h>
#include <stddef.h>
#include <stdint.h>

#ifndef S_IFMT /* linux/stat.h leaves them to a libc, if there is one */
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFREG 0100000
#define S_IFDIR 0040000
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define STDERR 2
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_SEQPACKET 5
#define SOCK_CLOEXEC O_CLOEXEC
#define SOCK_NONBLOCK O_NONBLOCK
#define SOL_SOCKET 1
#define SO_REUSEADDR 2
#define SO_TYPE 3
#define SO_PEERCRED 17
#define SCM_RIGHTS 1
#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0x4000
#define MSG_CMSG_CLOEXEC 0x40000000
#define MSG_CTRUNC 0x8
#define MSG_TRUNC 0x20
#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGKILL 9
#define SIGALRM 14
#define SIGTERM 15
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTIN 21
#define SIGTTOU 22
#define SIGWINCH 28
#define LAST_SIGNAL 64
#define SIG_SETMASK 2
#define POLLIN 0x1
#define POLLOUT 0x4
#define W_OK 2
#define X_OK 1
#define AT_EACCESS 0x200
#define SEEK_SET 0
#define SEEK_END 2

struct sys_iovec {
	void *base;
	size_t length;
};

#define SYS_DESCRIPTORS 253 /* SCM_MAX_FD, unix(7) */

struct sys_control {
	size_t length; /* of this header and the descriptors */
	int level;
	int type;
	int descriptors[SYS_DESCRIPTORS];
};
_Static_assert(sizeof(struct sys_control) == 1032, "struct cmsghdr with as many descriptors as a message may have");

struct sys_message {
	void *name;
	uint32_t name_length;
	struct sys_iovec *parts;
	size_t part_count;
	void *control;
	size_t control_length;
	int flags;
};
_Static_assert(sizeof(struct sys_message) == 56, "struct msghdr");

struct sys_poll {
	int fd; /* negative: ignored */
	short events;
	short happened;
};
_Static_assert(sizeof(struct sys_poll) == 8, "struct pollfd");

/* A signal as signalfd(2) reads it. */
struct sys_signal {
	uint32_t number;
	int32_t error;
	int32_t code;
	uint32_t pid;
	uint8_t rest[112];
};
_Static_assert(sizeof(struct sys_signal) == 128, "struct signalfd_siginfo");

#define SYSCALL6(number, a, b, c, d, e, f, ...) \
	arch_syscall((number), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define SYSCALL(number, ...) SYSCALL6(number, __VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

static inline long sys_open(const char *path, int flags)
{
	return SYSCALL(__NR_openat, AT_FDCWD, path, flags, 0);
}

static inline long sys_close(int fd)
{
	return SYSCALL(__NR_close, fd);
}

static inline long sys_close_range(unsigned int first, unsigned int last)
{
	return SYSCALL(__NR_close_range, first, last, 0);
}

static inline long sys_fcntl(int fd, int command, long argument)
{
	return SYSCALL(__NR_fcntl, fd, command, argument);
}

/* The position of the end of the file, lseek(2). */
static inline long sys_file_size(int fd)
{
	return SYSCALL(__NR_lseek, fd, 0, SEEK_END);
}

static inline long sys_write(int fd, const void *bytes, size_t length)
{
	return SYSCALL(__NR_write, fd, bytes, length);
}

static inline long sys_read(int fd, void *bytes, size_t length)
{
	return SYSCALL(__NR_read, fd, bytes, length);
}

static inline long sys_pread(int fd, void *bytes, size_t length, uint64_t offset)
{
	return SYSCALL(__NR_pread64, fd, bytes, length, offset);
}

static inline long sys_sendfile(int to, int from, uint64_t *offset, size_t length)
{
	return SYSCALL(__NR_sendfile, to, from, offset, length);
}

/* Returns an address, or -errno: see sys_failed(). */
static inline long sys_mmap(uint64_t address, size_t length, int protection, int flags, int fd, uint64_t offset)
{
	return SYSCALL(__NR_mmap, address, length, protection, flags, fd, offset);
}

static inline int sys_failed(long result)
{
	return (unsigned long)result > -4096UL;
}

static inline long sys_memfd_create(const char *name, unsigned int flags)
{
	return SYSCALL(__NR_memfd_create, name, flags);
}

static inline long sys_epoll_create(void)
{
	return SYSCALL(__NR_epoll_create1, 0);
}

static inline long sys_socketpair(int type, int sockets[2])
{
	return SYSCALL(__NR_socketpair, AF_UNIX, type, 0, sockets);
}

#define UNIX_PATH_SIZE 108

/* struct sockaddr_un */
struct sys_unix_address {
	uint16_t family;
	char path[UNIX_PATH_SIZE];
};

static inline long sys_connect(int socket, const struct sys_unix_address *address)
{
	return SYSCALL(__NR_connect, socket, address, sizeof(*address));
}

/* struct ucred */
struct sys_peer {
	uint32_t process;
	uint32_t user;
	uint32_t group;
};

/* Who called listen(2) or connect(2) on the other end of a Unix socket, as these namespaces have it. 0 or -errno. */
static inline long sys_peer_of(int socket, struct sys_peer *peer)
{
	uint32_t length = sizeof(*peer);

	return SYSCALL(__NR_getsockopt, socket, SOL_SOCKET, SO_PEERCRED, peer, &length);
}

/* Of the level SOL_SOCKET. Returns its value, a number that is not negative, or -errno. */
static inline long sys_socket_number(int socket, int option)
{
	int value = 0;
	uint32_t length = sizeof(value);
	long result = SYSCALL(__NR_getsockopt, socket, SOL_SOCKET, option, &value, &length);

	return result < 0 ? result : value;
}

static inline long sys_socket(int family, int type, int protocol)
{
	return SYSCALL(__NR_socket, family, type, protocol);
}

static inline long sys_set_option(int socket, int level, int name, const void *value, size_t length)
{
	return SYSCALL(__NR_setsockopt, socket, level, name, value, length);
}

static inline long sys_bind(int socket, const void *address, size_t length)
{
	return SYSCALL(__NR_bind, socket, address, length);
}

static inline long sys_listen(int socket, int backlog)
{
	return SYSCALL(__NR_listen, socket, backlog);
}

static inline long sys_sendmsg(int socket, const struct sys_message *message, int flags)
{
	return SYSCALL(__NR_sendmsg, socket, message, MSG_NOSIGNAL | flags);
}

/* No more will be sent. */
static inline long sys_shutdown_write(int socket)
{
	return SYSCALL(__NR_shutdown, socket, 1 /* SHUT_WR */);
}

static inline long sys_recvmsg(int socket, struct sys_message *message)
{
	return SYSCALL(__NR_recvmsg, socket, message, MSG_CMSG_CLOEXEC);
}

static inline long sys_getpid(void)
{
	return SYSCALL(__NR_getpid, 0);
}

static inline long sys_geteuid(void)
{
	return SYSCALL(__NR_geteuid, 0);
}

static inline long sys_pidfd_open(long pid)
{
	return SYSCALL(__NR_pidfd_open, pid, 0);
}

/* fork(2) without an exit signal: a parent that ignores or blocks SIGCHLD notices nothing. Wait with __WALL. */
static inline long sys_fork_silent(void)
{
	return SYSCALL(__NR_clone, 0, 0, 0, 0, 0);
}

/* fork(2). @pidfd is given a descriptor of the child. */
static inline long sys_fork(int *pidfd)
{
	return SYSCALL(__NR_clone, CLONE_PIDFD | SIGCHLD, 0, pidfd, 0, 0);
}

static inline long sys_wait(long pid, int *status)
{
	return SYSCALL(__NR_wait4, pid, status, __WALL, 0);
}

/* Any child that has ended, stopped or gone on; 0 when there is none now. */
static inline long sys_wait_any(int *status)
{
	return SYSCALL(__NR_wait4, -1, status, __WALL | WNOHANG | WUNTRACED | WCONTINUED, 0);
}

static inline long sys_getppid(void)
{
	return SYSCALL(__NR_getppid, 0);
}

static inline long sys_kill(long pid, int signal)
{
	return SYSCALL(__NR_kill, pid, signal);
}

static inline long sys_pidfd_send_signal(int pidfd, int signal)
{
	return SYSCALL(__NR_pidfd_send_signal, pidfd, signal, NULL, 0);
}

/* Milliseconds; negative: for ever. */
static inline long sys_poll(struct sys_poll *polls, size_t count, long timeout)
{
	const long time[2] = { timeout / 1000, timeout % 1000 * 1000000 }; /* struct timespec */

	return SYSCALL(__NR_ppoll, polls, count, timeout < 0 ? NULL : time, 0, 0);
}

/* Milliseconds of CLOCK_MONOTONIC. */
static inline long sys_now(void)
{
	long time[2] = { 0, 0 }; /* struct timespec */

	(void)SYSCALL(__NR_clock_gettime, 1, time); /* this clock cannot fail, clock_gettime(2) */
	return time[0] * 1000 + time[1] / 1000000;
}

static inline long sys_random(void *bytes, size_t length)
{
	return SYSCALL(__NR_getrandom, bytes, length, 0);
}

/* A descriptor that reads all signals, which must be blocked. */
static inline long sys_signal_descriptor(uint64_t signals)
{
	return SYSCALL(__NR_signalfd4, -1, &signals, sizeof(signals), O_CLOEXEC | O_NONBLOCK);
}

/* Of the file itself, a symbolic link included. */
static inline long sys_statx(int directory, const char *name, struct statx *found)
{
	return SYSCALL(__NR_statx, directory, name, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_UID | STATX_INO, found);
}

/* What the path leads to. */
static inline long sys_statx_target(const char *path, struct statx *found)
{
	return SYSCALL(__NR_statx, AT_FDCWD, path, 0, STATX_TYPE, found);
}

/* What is open. */
static inline long sys_statx_descriptor(int fd, struct statx *found)
{
	return SYSCALL(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, found);
}

static inline long sys_unlink(int directory, const char *name)
{
	return SYSCALL(__NR_unlinkat, directory, name, 0);
}

/* faccessat2(2) as this process is now, not as it was started. */
static inline long sys_access(const char *path, int mode)
{
	return SYSCALL(__NR_faccessat2, AT_FDCWD, path, mode, AT_EACCESS);
}

static inline long sys_directory_entries(int fd, void *bytes, size_t length)
{
	return SYSCALL(__NR_getdents64, fd, bytes, length);
}

static inline long sys_duplicate(int from, int to)
{
	return SYSCALL(__NR_dup3, from, to, 0);
}

/* Of this process; 0 when the leader is in another PID namespace. */
static inline long sys_getsid(void)
{
	return SYSCALL(__NR_getsid, 0);
}

static inline long sys_getpgrp(void)
{
	return SYSCALL(__NR_getpgid, 0);
}

/* The foreground process group of a terminal, ioctl_tty(2). */
static inline long sys_get_foreground(int terminal, int *group)
{
	return SYSCALL(__NR_ioctl, terminal, 0x540f /* TIOCGPGRP */, group);
}

static inline long sys_set_foreground(int terminal, const int *group)
{
	return SYSCALL(__NR_ioctl, terminal, 0x5410 /* TIOCSPGRP */, group);
}

static inline long sys_setsid(void)
{
	return SYSCALL(__NR_setsid, 0);
}

static inline long sys_prctl(int option, unsigned long argument)
{
	return SYSCALL(__NR_prctl, option, argument, 0, 0, 0);
}

/* A bit for each signal, the lowest for number 1. */
static inline long sys_set_blocked_signals(uint64_t signals)
{
	return SYSCALL(__NR_rt_sigprocmask, SIG_SETMASK, &signals, 0, sizeof(signals));
}

/* Says which signals are blocked. */
static inline long sys_blocked_signals(uint64_t *blocked)
{
	return SYSCALL(__NR_rt_sigprocmask, SIG_SETMASK, NULL, blocked, sizeof(*blocked));
}

/* Blocks all signals and says which were blocked before. */
static inline long sys_block_signals(uint64_t *before)
{
	const uint64_t all = ~0UL;

	return SYSCALL(__NR_rt_sigprocmask, SIG_SETMASK, &all, before, sizeof(all));
}

/* SIGALRM after @seconds, once; 0 takes it back. */
static inline long sys_alarm(long seconds)
{
	const long timer[4] = { 0, 0, seconds, 0 }; /* struct itimerval: interval, value */

	return SYSCALL(__NR_setitimer, 0 /* ITIMER_REAL */, timer, 0);
}

#define SYS_IGNORED 1UL /* SIG_IGN */

/* sigaction(2) as the kernel takes it; all zero is SIG_DFL. */
struct sys_action {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

#define SYS_ACTION_INFORMATION 4UL /* SA_SIGINFO */
#define SYS_MASK_UNBLOCK 1
#define SYS_MASK_SET SIG_SETMASK

static inline long sys_action(int signal, const struct sys_action *action, struct sys_action *previous)
{
	return SYSCALL(__NR_rt_sigaction, signal, action, previous, sizeof(action->mask));
}

static inline long sys_default_action(int signal)
{
	const struct sys_action action = { .handler = 0 };

	return sys_action(signal, &action, NULL);
}

static inline long sys_change_mask(int how, const uint64_t *signals, uint64_t *previous)
{
	return SYSCALL(__NR_rt_sigprocmask, how, signals, previous, sizeof(*signals));
}

/* System calls from outside of the range become SIGSYS, prctl(2). */
static inline long sys_dispatch_others(const void *start, size_t length)
{
	return SYSCALL(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, start, length, 0);
}

static inline long sys_dispatch_end(void)
{
	return SYSCALL(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
}

static inline long sys_chdir(const char *path)
{
	return SYSCALL(__NR_chdir, path);
}

static inline long sys_umask(uint32_t mask)
{
	return SYSCALL(__NR_umask, mask);
}

static inline long sys_setrlimit(uint32_t resource, const struct rlimit64 *limit)
{
	return SYSCALL(__NR_prlimit64, 0, resource, limit, 0);
}

static inline long sys_getrlimit(uint32_t resource, struct rlimit64 *limit)
{
	return SYSCALL(__NR_prlimit64, 0, resource, 0, limit);
}

static inline long sys_capset(const struct __user_cap_header_struct *header, const struct __user_cap_data_struct *data)
{
	return SYSCALL(__NR_capset, header, data);
}

static inline long sys_capget(const struct __user_cap_header_struct *header, struct __user_cap_data_struct *data)
{
	return SYSCALL(__NR_capget, header, data);
}

/* A new ruleset, close-on-exec. @size: as much of the attributes as the kernel is to know. */
static inline long sys_landlock_create_ruleset(const void *attributes, size_t size)
{
	return SYSCALL(__NR_landlock_create_ruleset, attributes, size, 0);
}

static inline long sys_landlock_add_rule(int ruleset, int type, const void *rule, uint32_t flags)
{
	return SYSCALL(__NR_landlock_add_rule, ruleset, type, rule, flags);
}

static inline long sys_landlock_restrict_self(int ruleset, uint32_t flags)
{
	return SYSCALL(__NR_landlock_restrict_self, ruleset, flags);
}

static inline long sys_seccomp_filter(const struct sock_fprog *filter)
{
	return SYSCALL(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter);
}

static inline long sys_execve(const char *path, char *const *argv, char *const *envp)
{
	return SYSCALL(__NR_execve, path, argv, envp);
}

_Noreturn static inline void sys_exit(int status)
{
	for (;;)
		SYSCALL(__NR_exit_group, status);
}

#endif
