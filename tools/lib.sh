# What the scripts of this folder share. Sourced, not run.

# How many compilers at once: a core each, and 1.5 GB, which a LibTorch source takes.
jobs() {
    local cores memory
    cores=$(nproc)
    memory=$(awk '/MemAvailable/ { n = int($2 / 1500000); print n < 1 ? 1 : n }' /proc/meminfo)
    echo "${CMAKE_BUILD_PARALLEL_LEVEL:-$((cores < memory ? cores : memory))}"
}

# logged <file> <command>...: keep what a long command says in a file, tell how far it is, and show the file's end if it fails.
logged() {
    local log=$1
    shift
    if "$@" 2>&1 | told "$log"; then
        return 0
    fi
    tail -n 80 "$log" >&2
    printf 'that failed; the whole log is %s\n' "$log" >&2
    return 1
}

# told <file>: standard input goes into the file; on a terminal one line says how far it is, elsewhere a line now and then, and at
# least every half minute. Downloads are measured in the folder `watched`, where that is set.
told() {
    # Who writes ends at Ctrl-C, and is read to the end.
    trap '' INT
    local line='' piece step='' said='' status base=0 width=80 began=$SECONDS last=$SECONDS live=0
    if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then
        live=1
        width=$(stty size <&1 2>/dev/null | cut -d' ' -f2)
        [ "${width:-0}" -gt 0 ] || width=80
    fi
    exec 3>"$1"
    while :; do
        status=0
        IFS= read -r -t 1 piece || status=$?
        line+=$piece
        if [ $status -eq 0 ]; then
            printf '%s\n' "$line" >&3
            step_of "$line" && base=$(megabytes)
            line=''
        elif [ $status -le 128 ]; then
            printf '%s' "$line" >&3
            break
        fi
        [ -n "$step" ] || continue
        if [ $live = 1 ]; then
            [ $status -eq 0 ] && [ "$step" = "$said" ] || tell '\r\033[K%s'
        elif [ $((SECONDS - last)) -ge 30 ] || { [ "$step" != "$said" ] && worth_a_line "$step"; }; then
            tell '%s\n'
        fi
    done
    [ $live = 0 ] || printf '\r\033[K'
}

tell() {
    local text=$step loaded=0
    case $step in downloading*) loaded=$(($(megabytes) - base)) ;; esac
    [ "$loaded" -le 0 ] || text+=" · $loaded MB so far"
    [ $((SECONDS - began)) -lt 2 ] || text+=" · $(((SECONDS - began) / 60)):$(printf '%02d' $(((SECONDS - began) % 60)))"
    # shellcheck disable=SC2059
    printf "$1" "${text:0:width-1}"
    said=$step last=$SECONDS
}

megabytes() {
    local size=0
    [ -z "${watched:-}" ] || size=$(du -sm -- "$watched" 2>/dev/null | cut -f1)
    echo "${size:-0}"
}

# Take the step in work from a line of ninja, pip or apt; say whether a download begins.
step_of() {
    local name
    if [[ $1 =~ \[([0-9]+/[0-9]+)\] ]]; then
        step="compiling [${BASH_REMATCH[1]}]"
    elif [[ $1 =~ ^' '*Downloading\ ([^ ]+)\ \(([0-9.]+\ [kMG]B)\) ]]; then
        name=${BASH_REMATCH[1]##*/}
        [[ $name != *.metadata ]] || return 1
        name=${name%%-cp[0-9]*}
        step="downloading ${name%%-py[23]*} (${BASH_REMATCH[2]})"
        return 0
    elif [[ $1 =~ ^Collecting\ ([^ =\<\>\!\;\[]+) ]]; then
        step="looking up ${BASH_REMATCH[1]}"
    elif [[ $1 =~ ^Installing\ collected\ packages:\ (.*) ]]; then
        step="installing ${BASH_REMATCH[1]}"
        name=${BASH_REMATCH[1]//[^,]/}
        [ -z "$name" ] || step="installing $((${#name} + 1)) Python packages"
    elif [[ $1 =~ ^(dl|pm)status:[^:]*:([0-9]+)[^:]*:(.*) ]]; then
        step="packages ${BASH_REMATCH[2]} %: ${BASH_REMATCH[3]}"
    fi
    return 1
}

# Whether a step gets a line of its own where lines stay: each fiftieth file, every tenth of the packages, what is large.
worth_a_line() {
    case $1 in
    "compiling ["*)
        local file=${1#*[}
        file=${file%%/*}
        [ "$file" -gt 0 ] && [ $((file % 50)) = 0 ]
        ;;
    "packages "*)
        local percent=${1#packages }
        percent=${percent%% *}
        [ $((percent / 10)) != "${tenth:-}" ] && tenth=$((percent / 10))
        ;;
    "downloading "*" MB)")
        local size=${1##*(}
        [ "${size%%.*}" -ge 10 ]
        ;;
    "downloading "*" GB)" | "installing "*) ;;
    *) return 1 ;;
    esac
}
