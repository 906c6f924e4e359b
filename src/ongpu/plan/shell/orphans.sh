# PIDS
# Runners whose server is gone: nobody can reach them, and they hold GPU memory. Only one that is still one is ended.
for pid in $PIDS; do
  parent=$(sed 's/^.*) [A-Za-z] \([0-9]*\) .*/\1/' "/proc/$pid/stat" 2>/dev/null || :)
  command=$(tr '\000' ' ' <"/proc/$pid/cmdline" 2>/dev/null || :)
  [ "$parent" = 1 ] || continue
  case $command in *llama-server*--model* | *ollama*runner*--model*) ;; *) continue ;; esac
  kill "$pid" 2>/dev/null || continue
  tries=10
  while [ -d "/proc/$pid" ] && [ $tries -gt 0 ]; do sleep 1; tries=$((tries - 1)); done
  [ ! -d "/proc/$pid" ] || kill -9 "$pid" 2>/dev/null || :
done
