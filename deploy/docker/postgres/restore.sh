#!/usr/bin/env bash
# Brings PostgreSQL's data back from S3.
set -euo pipefail

usage() {
    cat <<'EOT'
restore.sh DIRECTORY [--until TIME]

Fetches the last base backup into DIRECTORY, which must be empty, and has the server replay the
archived log when it is started on it: to the end, or with --until to a moment, such as
"2026-11-27 12:00:00+00". Everything that was acknowledged before the end of the last archived
segment is there again.

environment:
  PMESH_BACKUPS  where backups lie: s3://BUCKET/FOLDER
  AWS_*          where S3 is; the server needs both as well, until it has recovered
  PATH           has barman's commands, also the server's
EOT
}

directory='' until=''
while [[ $# -gt 0 ]]; do
    case $1 in
        --help) usage && exit ;;
        --until) until=${2:?} && shift ;;
        -*) echo "restore.sh: there is no option $1; see --help" >&2 && exit 2 ;;
        *) directory=$1 ;;
    esac
    shift
done
[[ -n $directory ]] || { usage >&2 && exit 2; }
: "${PMESH_BACKUPS:?}"
if [[ -n $(ls -A "$directory" 2>/dev/null) ]]; then
    echo "restore.sh: $directory is not empty: nothing is overwritten" >&2
    exit 1
fi

# Under another name until it is whole: what is cut off is no server's data.
partial=$directory.partial
rm -rf "$partial"
mkdir -p "$partial" && chmod 700 "$partial"
barman-cloud-restore ${until:+--target-time "$until"} "$PMESH_BACKUPS" postgres auto "$partial"
{
    echo "restore_command = 'barman-cloud-wal-restore $PMESH_BACKUPS postgres %f %p'"
    if [[ -n $until ]]; then
        echo "recovery_target_time = '${until//\'/}'"
        echo "recovery_target_action = 'promote'"
    fi
} >>"$partial/postgresql.auto.conf"
touch "$partial/recovery.signal"
rmdir "$directory" 2>/dev/null || true
mv "$partial" "$directory"
