#!/bin/sh
# Sets up a real MySQL server of Debian's unstable release in .build/mysql, for
# which it needs root and debootstrap once, and prints the folder of programs
# (mysqld, mysql, mysqldump) to be put in front of the PATH.
set -eu
cd "$(dirname "$0")/.."

folder=$PWD/.build/mysql
root=$folder/root
programs=$folder/bin

if [ ! -d "$root" ]; then
	if ! PATH=$PATH:/usr/sbin command -v debootstrap >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
		echo "to be run once by root, with the Debian package debootstrap: $0" >&2
		exit 1
	fi
	echo "setting up MySQL in $folder, which takes some minutes" >&2
	rm -rf "$root.part"
	mkdir -p "$folder"
	PATH=$PATH:/usr/sbin debootstrap --variant=minbase --include=mysql-server-core,mysql-client-core \
		sid "$root.part" http://deb.debian.org/debian >"$folder/debootstrap.log" 2>&1 || {
		tail -n 20 "$folder/debootstrap.log" >&2
		exit 1
	}
	mv "$root.part" "$root"
fi

# The programs run with that release's own libraries, and need no chroot. The
# first option stays the first, for --no-defaults must be that.
mkdir -p "$programs"
loader=$(find "$root/usr/lib64" "$root/usr/lib" -maxdepth 1 -name 'ld-linux-*.so.*' 2>/dev/null | head -n 1)
libraries=$(dirname "$(ls "$root"/usr/lib/*-linux-gnu/libc.so.6)"):$root/usr/lib/mysql/private
cat >"$programs/mysqld" <<END
#!/bin/sh
first=\$1
shift
exec "$loader" --library-path "$libraries" "$root/usr/sbin/mysqld" "\$first" \\
	--basedir="$root/usr" --lc-messages-dir="$root/usr/share/mysql" --plugin-dir="$root/usr/lib/mysql/plugin" "\$@"
END
for client in mysql mysqldump; do
	cat >"$programs/$client" <<END
#!/bin/sh
exec "$loader" --library-path "$libraries" "$root/usr/bin/$client" "\$@"
END
done
chmod 755 "$programs"/*
echo "$programs"
