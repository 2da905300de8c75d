#!/usr/bin/env bash
# Makes base backups of PostgreSQL in S3, and removes what nobody is to restore any more.
set -euo pipefail

usage() {
    cat <<'EOT'
backup.sh [--every HOURS] [--keep DAYS]

Makes a base backup, beside the log that archive_command brings to S3. Then removes what no moment
of the last DAYS, 14, needs. With --every it goes on, and makes one whenever the newest that it knows
of is HOURS old; on SIGTERM it ends.

environment:
  PMESH_BACKUPS  where they lie: s3://BUCKET/FOLDER
  PG*            the server, as a superuser; its data is on this machine
  PGDATA         where
  AWS_*          where S3 is
  PATH           has barman's commands
EOT
}

every='' days=14
while [[ $# -gt 0 ]]; do
    case $1 in
        --help) usage && exit ;;
        --every) every=${2:?} && shift ;;
        --keep) days=${2:?} && shift ;;
        *) echo "backup.sh: there is no option $1; see --help" >&2 && exit 2 ;;
    esac
    shift
done
: "${PMESH_BACKUPS:?}" "${PGDATA:?}"

backup() {
    barman-cloud-backup --gzip --immediate-checkpoint "$PMESH_BACKUPS" postgres &&
        barman-cloud-backup-delete --retention-policy "RECOVERY WINDOW OF $days DAYS" \
            "$PMESH_BACKUPS" postgres
}

if [[ -z $every ]]; then
    backup
    exit
fi
trap 'exit 0' TERM INT
made=$(dirname "$PGDATA")/last-backup # beside the data: a restored server has none
while true; do
    if [[ -z $(find "$made" -mmin "-$((every * 60))" 2>/dev/null) ]] && pg_isready --quiet; then
        if backup; then
            touch "$made"
        else
            echo "backup.sh: there is no backup; again in a minute" >&2
        fi
    fi
    sleep 60 &
    wait $! # as only so a signal is heard meanwhile
done
