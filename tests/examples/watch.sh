#!/bin/sh
# A job from nothing but curl: sh watch.sh URL TOKEN. Prints the stream of a job while it is reported on.
set -eu
url=$1
token=$2
api() { curl -sf -H "Authorization: Bearer $token" -H 'Content-Type: application/json' "$@" >/dev/null; }

api "$url/api/jobs" -d '{"id":"export-7","kind":"export","title":"Yearly export"}'
curl -sfN -H "Authorization: Bearer $token" "$url/api/jobs/export-7/progress" &
stream=$!
# The stream has begun once the server has said so.
until curl -sf -H "Authorization: Bearer $token" "$url/metrics" | grep -q 'milepost_streams 1'; do :; done

api "$url/api/jobs/export-7/events" -d '{"type":"status","status":"running"}'
api "$url/api/jobs/export-7/events" -d '{"type":"progress","done":13,"total":100,"unit":"rows"}'
api "$url/api/jobs/export-7/events" -d '{"type":"status","status":"completed","result":{"rows":100}}'
wait $stream
