#!/usr/bin/env bash
# The whole of Loopline in one command: installs what is missing, builds it, starts the engine on the shipped channels with a fresh data
# folder, sends it the shipped samples through its real doors, shows what became of each, and stays up until Ctrl-C.
#
#   deploy/run.sh            everything
#   deploy/run.sh --once     the same, then stops and exits 0 (for CI); 1 when something did not happen
#
# LOOPLINE_DATA names the data folder, which must be new or empty (default: a new one under /tmp, kept when the script ends).
# Needs no account, no key and no server: mail comes from a Maildir and goes to a Maildir, faxes go to a folder.
set -euo pipefail
shopt -s nullglob
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/setup.sh
. deploy/setup.sh

once=no
case "${1:-}" in
    "") ;;
    --once) once=yes ;;
    -h | --help)
        sed -n '2,9s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *) fail "unknown argument $1: deploy/run.sh [--once]" ;;
esac

# As configured in channels/st-mary-mllp.toml.
mllp_address=127.0.0.1:2575
program=${CARGO_TARGET_DIR:-target}/release/loopline
engine_pid=

# Runs one of Loopline's own commands on this trial's data.
loopline() { "$program" "$@" --data "$data"; }

stop_engine() {
    if [ -n "$engine_pid" ] && kill -0 "$engine_pid" 2>/dev/null; then
        kill -TERM "$engine_pid"
        wait "$engine_pid" || true
    fi
    engine_pid=
}
trap stop_engine EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fresh_data_folder() {
    if [ -n "${LOOPLINE_DATA:-}" ]; then
        data=$LOOPLINE_DATA
        mkdir -p "$data"
        [ -z "$(ls -A "$data")" ] || fail "$data is not empty: name another folder in LOOPLINE_DATA, or none for a new one"
    else
        data=$(mktemp -d "${TMPDIR:-/tmp}/loopline-trial.XXXXXX")
    fi
    data=$(cd "$data" && pwd)
    # The flag says it from here on; a relative path in the environment would be taken from somewhere else.
    unset LOOPLINE_DATA
}

build() {
    say "building in release mode (the first time takes about ten minutes on two cores)"
    cargo build --release --locked
    "$program" check --channels channels || fail "the shipped channels do not pass the check"
}

start_engine() {
    say "starting the engine: data in $data, log in $data/engine.log"
    "$program" run --channels channels --data "$data" >"$data/engine.log" 2>&1 &
    engine_pid=$!
    local second
    for second in $(seq 1 60); do
        if ! kill -0 "$engine_pid" 2>/dev/null; then
            tail -n 20 "$data/engine.log" >&2
            fail "the engine did not start (is something else listening on $mllp_address?)"
        fi
        # It answers questions only when every door is open.
        if loopline messages list >/dev/null 2>&1 && (exec 3<>"/dev/tcp/${mllp_address%:*}/${mllp_address#*:}") 2>/dev/null; then
            echo "ready after about $second s"
            return
        fi
        sleep 1
    done
    fail "the engine is not ready after 60 s: see $data/engine.log"
}

send_hl7() {
    # New referrals first, what changes or cancels them after, as it happens at a hospital.
    local files=(samples/st-mary-mllp/referral*.hl7) file
    for file in samples/st-mary-mllp/*.hl7; do [[ $file == */referral*.hl7 ]] || files+=("$file"); done
    [ ${#files[@]} -gt 0 ] || return 0
    say "HL7: ${#files[@]} messages over MLLP to $mllp_address"
    # Among the samples are messages that must be refused, so a refusal is no failure of this script.
    "$program" send "${files[@]}" --to "$mllp_address" || echo "(not every message was accepted)"
}

# A file appears under its name only once it is whole: copied beside it first, then renamed.
drop_fax() {
    local name
    name=$(basename "$1")
    cp "$1" "$data/fax-in/.$name.part"
    mv "$data/fax-in/.$name.part" "$data/fax-in/$name"
}

drop_mail() {
    local name
    name="$(date +%s).$$_$RANDOM.trial"
    cat >"$data/mail-in/tmp/$name"
    mv "$data/mail-in/tmp/$name" "$data/mail-in/new/$name"
}

send_faxes_and_mails() {
    local faxes=(samples/fax-inbox/*.pdf samples/fax-inbox/*.tif samples/fax-inbox/*.tiff) mails=(samples/referral-inbox/*.eml) file
    say "faxes: ${#faxes[@]} files dropped into $data/fax-in; mails: ${#mails[@]} dropped into the Maildir $data/mail-in"
    for file in "${faxes[@]}"; do drop_fax "$file"; done
    for file in "${mails[@]}"; do drop_mail <"$file"; done
}

# How many of the named things (messages, deliveries) are in one of these states.
count_in() {
    { loopline "$1" list --limit 0 --json 2>/dev/null || true; } | { grep -Eo "\"state\": ?\"($2)\"" || true; } | wc -l
}

# Waits, with a line of progress, until the doors have taken everything and nothing has waited to be read or sent for three seconds.
wait_until_done() {
    local seconds_max=$1 second quiet=0 dropped stored reading unsent line
    for second in $(seq 1 "$seconds_max"); do
        dropped=$(($(count_files "$data/fax-in" '[!.]*') + $(count_files "$data/mail-in/new")))
        stored=$(count_in messages '[a-z-]+')
        reading=$(count_in messages received)
        unsent=$(count_in deliveries 'queued|in-flight')
        line="$second s: $dropped files to be taken in, $stored messages stored, $reading of them being read, $unsent answers to be sent"
        # A terminal sees one line that changes, a log one line in ten seconds.
        if [ -t 1 ]; then printf '\r%-110s' "$line"; elif [ $((second % 10)) -eq 1 ]; then echo "$line"; fi
        if [ $((dropped + reading + unsent)) -eq 0 ] && [ "$stored" -gt 0 ]; then quiet=$((quiet + 1)); else quiet=0; fi
        if [ "$quiet" -ge 3 ]; then
            if [ -t 1 ]; then echo; fi
            return
        fi
        sleep 1
    done
    echo
    echo "still at work after $seconds_max s; what is there so far:"
    incomplete=yes
}

show_results() {
    say "what arrived (loopline messages list)"
    loopline messages list
    say "the referrals (loopline referrals list)"
    loopline referrals list
    say "what was sent: acknowledgements and confirmation requests (loopline deliveries list)"
    loopline deliveries list
    say "where to look"
    printf '%5d mails in        %s\n' "$(count_files "$data/mail-out/new")" "$data/mail-out/new"
    printf '%5d faxes in        %s (NAME.pdf, and NAME.json with the number)\n' "$(count_files "$data/fax-out" '*.pdf')" "$data/fax-out"
    printf '%5d faxes taken to  %s\n' "$(count_files "$data/fax-in/done")" "$data/fax-in/done"
    printf '%5d files in        %s (each with a reason)\n' "$(count_files "$data/fax-in/failed")" "$data/fax-in/failed"
}

count_files() {
    if [ -d "$1" ]; then find "$1" -maxdepth 1 -type f -name "${2:-*}" | wc -l; else echo 0; fi
}

# A header of a mail, unfolded.
header() {
    awk -v name="$1" '
        { sub(/\r$/, "") }
        /^$/ { exit }
        /^[ \t]/ { if (found) { sub(/^[ \t]+/, ""); printf " %s", $0 } ; next }
        { found = tolower($0) ~ "^" tolower(name) ":" ; if (found) { sub(/^[^:]*:[ \t]*/, ""); printf "%s", $0 } }
    ' "$2"
}

# The first confirmation request that went out by mail and whose referral still waits for an answer.
request_to_answer() {
    local requested mail reference
    requested=$(loopline referrals list --status requested --limit 0 --json)
    for mail in "$data"/mail-out/new/*; do
        grep --quiet --ignore-case '^To:.*@alder-heart\.example' "$mail" || continue
        reference=$(header Subject "$mail" | grep -Eo 'LL-[0-9A-Z]{4}-[0-9A-Z]{4}' | head -n1) || continue
        if grep --quiet "$reference" <<<"$requested"; then
            echo "$mail"
            return
        fi
    done
}

# Answers it, as a front desk would.
answer_one_request() {
    local mail reply_to subject
    mail=$(request_to_answer)
    if [ -z "$mail" ]; then
        echo "no confirmation request went out by mail, so there is none to answer"
        incomplete=yes
        return
    fi
    reply_to=$(header Reply-To "$mail")
    subject=$(header Subject "$mail")
    # Always in the future: a desk does not book for yesterday, and the engine would not believe it.
    local words
    words="Yes, received. Booked for $(date -d '+23 days' +%m/%d/%Y) 10:30."
    say "the cardiology desk answers: \"$words\""
    echo "to      $reply_to"
    echo "subject Re: $subject"
    drop_mail <<MAIL
From: Cardiology Desk <$(header To "$mail" | sed 's/.*<//; s/>.*//')>
To: $reply_to
Subject: Re: $subject
Message-ID: <answer-$$@alder-heart.example>
In-Reply-To: $(header Message-ID "$mail")
Date: $(LC_ALL=C date '+%a, %d %b %Y %H:%M:%S %z')
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

$words
MAIL
    wait_until_done 30
    say "where the referrals are now (loopline referrals list)"
    loopline referrals list
    # The whole list first: grep leaving early would look like a failure of the command.
    if ! grep -Eq '"status": ?"scheduled"' <<<"$(loopline referrals list --limit 0 --json)"; then
        echo "no referral is scheduled, though one should be" >&2
        incomplete=yes
    fi
}

say_what_next() {
    local command="$program"
    cat <<NEXT

==> Loopline is running. Try, in another terminal and from this folder:

  $command send samples/st-mary-mllp/*.hl7 --to $mllp_address           the same messages again: same answers, no new referral
  $command referrals show REFERENCE --data $data      one referral, with what was read and where
  cp any.pdf $data/fax-in/                                a fax of your own
  $command try any.pdf                                                  what would be read from it, storing nothing
  $command check --print                                                the configuration in effect

The log is $data/engine.log. Ctrl-C stops the engine; the data folder stays.
NEXT
}

main() {
    incomplete=no
    install_packages "${packages_to_run[@]}"
    install_toolchain
    build
    fresh_data_folder
    start_engine
    send_hl7
    send_faxes_and_mails
    wait_until_done 300
    show_results
    answer_one_request
    if [ "$once" = yes ]; then
        stop_engine
        [ "$incomplete" = no ] || fail "not everything happened that should have: see above, and $data/engine.log"
        say "done; everything is in $data"
        return
    fi
    say_what_next
    wait "$engine_pid"
}

main
