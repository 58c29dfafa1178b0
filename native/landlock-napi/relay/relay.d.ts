/**
 * The calls that the bridges need. Every call returns its result, 0 or more, or -errno, and none blocks.
 * Only an argument of the wrong type throws (a TypeError).
 */
export interface Relay {
  /** A stream socket, socket(2), non-blocking and close-on-exec. */
  socket(family: number): number;
  /** The same of AF_UNIX and SOCK_SEQPACKET: each message arrives whole. Listens, and accept() takes from it. */
  packetSocket(): number;
  /** The address is laid out as the kernel reads it, also for connect(). */
  bind(fd: number, address: Uint8Array): number;
  listen(fd: number, backlog: number): number;
  /** accept4(2), non-blocking and close-on-exec. */
  accept(fd: number): number;
  /** -EINPROGRESS: EPOLLOUT tells the end. -EAGAIN: the backlog of a Unix socket is full. */
  connect(fd: number, address: Uint8Array): number;
  /** getsockname(2): fills the address and answers its length. */
  socketName(fd: number, address: Uint8Array): number;
  /** shutdown(2) with SHUT_WR. */
  shutdownWrite(fd: number): number;
  setNonblocking(fd: number): number;
  /** fchmod(2). Before bind() this is the mode of the Unix socket's file to be, less the umask. */
  setMode(fd: number, mode: number): number;
  /** SO_REUSEADDR. */
  reuseAddress(fd: number): number;
  /** TCP_NODELAY; accepted sockets inherit it from their listener. */
  noDelay(fd: number): number;
  /** TCP_CONGESTION "reno", for the loopback interface; accepted sockets inherit it from their listener. */
  doNotPace(fd: number): number;
  /** TCP_NOTSENT_LOWAT: from now on the socket is writable only while it holds nothing unsent. */
  writableWhenSent(fd: number): number;
  /** SO_LINGER 0: closing the TCP socket sends a reset and drops what is unsent. */
  resetOnClose(fd: number): number;
  /** SIOCGIFFLAGS of the interface `lo` of the socket's network namespace: 1 up, 0 down. */
  loopbackIsUp(fd: number): number;
  /** SO_ERROR: takes the pending error, 0 or a positive errno. */
  takeError(fd: number): number;
  /** SIOCINQ: bytes received that nobody has read. */
  unread(fd: number): number;
  /** SIOCOUTQ: bytes that the peer's kernel (TCP) or the peer (Unix) has not taken. */
  unacknowledged(fd: number): number;
  /** SIOCOUTQNSD, TCP only: bytes that have not left. */
  unsent(fd: number): number;

  /** SO_PEERCRED: the effective user ID that the peer of a Unix socket had when it connected, as this user namespace sees it. */
  peerUid(fd: number): number;
  /** The AF_* of a stream socket that listens. -EINVAL: it does not, or is another socket. */
  listeningFamily(fd: number): number;
  /** flock(2). `operation`: 1 shared, 2 exclusive, 8 none. -EAGAIN: others hold it; what was held is then lost, too. */
  lock(fd: number, operation: number): number;

  /** recv(2) into the whole buffer. 0 is the end. */
  receive(fd: number, buffer: Uint8Array): number;
  /** send(2), with MSG_NOSIGNAL, of the bytes from `start` to `end`. `flags`: MSG_MORE or 0. */
  send(fd: number, buffer: Uint8Array, start: number, end: number, flags: number): number;
  /** write(2) of the bytes from `start` to `end` to a pipe of ours. */
  writePipe(fd: number, buffer: Uint8Array, start: number, end: number): number;
  /** pipe2(2), non-blocking and close-on-exec: `ends[0]` is read from, `ends[1]` written to. */
  pipe(ends: Int32Array): number;
  /** F_SETPIPE_SZ. -EPERM: past the user's limit, pipe(7). */
  setPipeSize(fd: number, sizeBytes: number): number;
  /** splice(2) of at most `length` bytes; one of the two descriptors is a pipe. 0 is the end. */
  splice(from: number, to: number, length: number): number;
  /** splice(2) has no MSG_NOSIGNAL: ignores SIGPIPE unless somebody handles it. */
  ignoreSigpipe(): number;

  /** epoll_create1(2), close-on-exec. */
  epollCreate(): number;
  /** epoll_ctl(2): `operation` is EPOLL_CTL_*, `id` comes back with each event. */
  epollControl(epoll: number, operation: number, fd: number, events: number, id: number): number;
  /** epoll_wait(2) with no timeout: fills `pairs` with id, events, id, events, ... and answers the number of pairs. */
  epollWait(epoll: number, pairs: Int32Array): number;

  /**
   * Calls back from Node's event loop while the descriptor is readable (or has an error), until unwatch().
   * Makes it non-blocking. The caller unwatches it before closing it. What the callback throws is uncaught.
   * Answers the watch's id, 1 or more. -ENOSPC: 512 watches exist. -EPERM: not a descriptor that can be polled.
   */
  watch(fd: number, callback: () => void, keepsLoopAlive: boolean): number;
  /** -ENOENT: this watch has ended already. */
  unwatch(watch: number): number;
}
