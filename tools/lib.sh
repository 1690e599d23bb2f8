# What the scripts of this folder share. Sourced, not run.

# How many compilers at once: a core each, and 1.5 GB, which a LibTorch source takes.
jobs() {
    local cores memory
    cores=$(nproc)
    memory=$(awk '/MemAvailable/ { n = int($2 / 1500000); print n < 1 ? 1 : n }' /proc/meminfo)
    echo "${CMAKE_BUILD_PARALLEL_LEVEL:-$((cores < memory ? cores : memory))}"
}

# logged <file> <command>...: keep what a build says in a file, show how far it is, and the file's end if it fails.
logged() {
    local log=$1
    shift
    if "$@" 2>&1 | tee "$log" | awk -v tty="$([ -t 1 ] && echo 1 || echo 0)" '
        match($0, /\[[0-9]+\/[0-9]+\]/) {
            step = substr($0, RSTART, RLENGTH); shown = 1
            if (tty) printf "\r\033[Kcompiling %s", step; else if (n++ % 50 == 49) print "compiling " step
            fflush()
        }
        END { if (tty && shown) printf "\r\033[K" }'; then
        return 0
    fi
    tail -n 80 "$log" >&2
    printf 'the build failed; the whole log is %s\n' "$log" >&2
    return 1
}
