#!/bin/sh
# record.sh FILE PROGRAM ARGS...: writes to FILE the process id and start time that this process has outside of its own
# process namespace (as long as the machine's /proc is still mounted), then becomes the program. Whoever started it
# sees only the process of nsenter or unshare that waits for it.
set -eu
file=$1
shift
read -r stat </proc/self/stat
fields=${stat##*) }
# shellcheck disable=SC2086
start=$(set -- $fields && echo "${20}")
echo "${stat%% *} $start" >"$file.unfinished"
mv "$file.unfinished" "$file"
exec "$@"
