#!/bin/sh
# Installs the Debian packages of the programs that are missing, and nothing
# else. Usage: scripts/setup.sh run|test|mysql|bench
set -eu

# newest prints the folder of the newest PostgreSQL server's programs, if any.
newest() {
	ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1
}

has_postgres() {
	command -v initdb >/dev/null 2>&1 || [ -x "$(newest)/initdb" ]
}

has() {
	command -v "$1" >/dev/null 2>&1
}

# has_mysql says whether a server of the MySQL protocol is there; Debian keeps
# servers in a folder that is not in the PATH of everybody.
has_mysql() {
	has mariadbd || has mysqld || [ -x /usr/sbin/mariadbd ] || [ -x /usr/sbin/mysqld ]
}

packages=
need() {
	packages="$packages $1"
}

for_run() {
	has gcc || need gcc
	[ -f /usr/include/stdlib.h ] || [ "$(uname -s)" != Linux ] || need libc6-dev
	has_postgres || need postgresql
	has psql || need postgresql-client
	has redis-server || need redis-server
	has redis-cli || need redis-tools
	has_mysql || need mariadb-server
	has mariadb || has mysql || need mariadb-client
	has curl || need curl
}

for_test() {
	for_run
	has git || need git
	has mariadb-dump || need mariadb-client
	has sysbench || need sysbench
	has node || need nodejs
	has npm || need npm
}

for_mysql() {
	for_test
	has debootstrap || [ -x /usr/sbin/debootstrap ] || need debootstrap
}

for_bench() {
	for_run
	has pgbouncer || need pgbouncer
	has redis-benchmark || need redis-tools
	has sysbench || need sysbench
	has haproxy || [ -x /usr/sbin/haproxy ] || need haproxy
}

case "${1-}" in
run) for_run ;;
test) for_test ;;
mysql) for_mysql ;;
bench) for_bench ;;
*)
	echo "usage: $0 run|test|mysql|bench" >&2
	exit 2
	;;
esac

[ -n "$packages" ] || exit 0

if ! has apt-get; then
	echo "missing here, by the names of their Debian packages:$packages" >&2
	exit 1
fi

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif has sudo; then
		sudo "$@"
	else
		echo "to be installed by root: apt-get install$packages" >&2
		exit 1
	fi
}

install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"
}

# What is to be undone at the end, however that comes.
undo=:
trap 'eval "$undo"' EXIT

echo "installing:$packages"
as_root apt-get update --quiet

case "$packages" in
*" postgresql"*)
	# Debian makes a cluster of its own on port 5432 and starts it when the
	# server is installed. Told beforehand, it does not; afterwards its
	# configuration is as it was.
	conf=/etc/postgresql-common/createcluster.conf
	install postgresql-common
	as_root cp -p $conf $conf.tenantsdb
	undo="$undo; as_root mv $conf.tenantsdb $conf"
	as_root sh -c "echo 'create_main_cluster = false' >>$conf"
	;;
esac

case "$packages" in
*" redis-server"* | *" mariadb-server"* | *" haproxy"*)
	# Debian starts a server of its own when it is installed, unless a policy
	# forbids it.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		undo="$undo; as_root rm -f $policy"
		as_root sh -c "printf '#!/bin/sh\\nexit 101\\n' >$policy && chmod 755 $policy"
	fi
	;;
esac

# shellcheck disable=SC2086 # one word per package
install $packages

# We run our own; the services that came with these packages are not wanted.
for pair in pgbouncer:pgbouncer haproxy:haproxy redis-server:redis-server mariadb-server:mariadb; do
	case "$packages " in
	*" ${pair%%:*} "*)
		if has systemctl && [ -d /run/systemd/system ]; then
			as_root systemctl disable --now "${pair#*:}"
		fi
		;;
	esac
done
