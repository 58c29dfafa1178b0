{
  "targets": [
    {
      "target_name": "landlock_napi",
      "sources": [
        "src/addon.c",
        "src/landlock.c",
        "src/landlock-glue.c",
        "relay/relay.c",
        "relay/sockets.c",
        "relay/epoll.c",
        "relay/host.c",
        "relay/watch.c",
        "relay/handover.c",
        "relay/paths.c"
      ],
      "include_dirs": ["uapi"],
      "defines": ["_GNU_SOURCE", "NAPI_VERSION=9"],
      "cflags": [
        "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-Wvla",
        "-Wmissing-prototypes", "-fanalyzer",
        "-Wno-analyzer-fd-leak", "-fvisibility=hidden", "-fstack-protector-strong",
        "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"
      ],
      "ldflags": ["-Wl,-z,relro", "-Wl,-z,now", "-Wl,--build-id=none"]
    }
  ]
}
