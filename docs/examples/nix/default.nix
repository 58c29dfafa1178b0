# A derivation whose builder is fence: the build can use its folder, its tools and the store, and no other file.
#
# Use: mkdir tools && cp /bin/busybox tools/
#      nix-build --option sandbox true --arg fence ../../../dist/fence --arg tools ./tools
{
  fence, # the executable
  tools, # a folder with a static busybox
  script ? "echo hello from a fenced build >$out",
  options ? [ ], # more of fence's, such as [ "--http-proxy" "unix:/run/proxy/http.sock" ]
}:
let
  imported = {
    fence = builtins.path { name = "fence"; path = fence; };
    tools = builtins.path { name = "tools"; path = tools; };
  };
in
derivation {
  name = "fenced";
  system = builtins.currentSystem;
  builder = imported.fence;
  args = [
    "bootstrap"
    "--rox" imported.tools
    "--rw" builtins.storeDir # where the build makes $out
    "--rw" "/build"
    "--rw" "/dev/null"
    "--env" "HOME=/homeless-shelter"
  ] ++ options ++ [
    "--"
    "${imported.tools}/busybox" "sh" "-c" script
  ];
}
