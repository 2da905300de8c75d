#!/usr/bin/env bash
# Makes the databases that programs own, each with its owner. Again is no harm.
set -euo pipefail

usage() {
    cat <<'EOT'
databases.sh [DIRECTORY]

Reads DIRECTORY/databases (/etc/databases), a line for each: its name, its owner, "createrole" if the
owner makes roles or else "-", and extensions that only a superuser may make. The owner's password
is the file DIRECTORY/passwords/OWNER. The image runs it when it has made the server's data.

environment:
  PG*  the server, as a superuser
EOT
}

[[ ${1:-} != --help ]] || { usage && exit; }
directory=${1:-/etc/databases}
export PGUSER=${PGUSER:-${POSTGRES_USER:-postgres}} PGDATABASE=postgres

psql() {
    command psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 "$@"
}

psql --command 'REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC'
while read -r name owner may extensions; do
    password=$(<"$directory/passwords/$owner")
    export password # psql's \getenv takes it: a command line can be read by others
    psql --set "owner=$owner" --set "name=$name" <<'EOT'
\getenv password password
SELECT format('CREATE ROLE %I', :'owner')
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'owner') \gexec
SET password_encryption = 'scram-sha-256';
SET log_statement = 'none';
SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', :'owner', :'password') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'owner')
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
EOT
    [[ $may != createrole ]] || psql --command "ALTER ROLE \"$owner\" CREATEROLE"
    for extension in $extensions; do
        psql --dbname "$name" --command "CREATE EXTENSION IF NOT EXISTS \"$extension\""
    done
done <"$directory/databases"
