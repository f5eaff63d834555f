#!/bin/sh
# Runs `bursar …` as a container's first process. The server of a data directory outlives the
# command that started it; a container's end would kill it, and so it is stopped before. What the
# address of a server names is left alone.
told=
trap 'told=yes; kill -TERM "$!" 2>/dev/null' TERM INT
bursar "$@" &
child=$!
wait "$child"
code=$?
# a signal ends a wait, not the command; who has been waited for to the end is not known any more
while [ -n "$told" ]; do
    told=
    wait "$child" 2>/dev/null
    again=$?
    [ "$again" = 127 ] || code=$again
done
trap '' TERM INT
[ -n "$BURSAR_DATABASE_URL" ] || bursar db stop >/dev/null || echo "the database was not stopped" >&2
exit "$code"
