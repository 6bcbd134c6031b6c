#!/bin/sh
# A reader process for tests: says that it is ready (two lengths, then the header), and dies over its first document.
printf '\064\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000%s' '{"answer":{"ready":{"missing":[]}},"image_bytes":[]}'
IFS= read -r _
exit 3
