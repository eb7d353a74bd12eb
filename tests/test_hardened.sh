#!/bin/sh
# The built library and command are hardened: read from their ELF files. Usage: test_hardened.sh
# LIBRARY COMMAND
set -eu
passed=0 failed=0
check() { # name, file, what readelf prints, pattern
    if LC_ALL=C readelf "$3" -W "$2" | grep -Eq "$4"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $2: $1"
    fi
}
for file in "$@"; do
    check "position-independent" "$file" -h 'Type: +DYN'
    check "tables read-only after relocation" "$file" -l 'GNU_RELRO'
    check "all relocations at start" "$file" -d 'BIND_NOW|FLAGS.* NOW'
    check "a stack that is not executable" "$file" -l 'GNU_STACK .* RW +0x'
    check "stack protector" "$file" --dyn-syms 'UND __stack_chk_fail'
    check "checked string functions" "$file" --dyn-syms 'UND __[a-z]+_chk'
done
check "an executable for any address" "$2" -d 'FLAGS_1.* PIE'
echo "$passed passed, $failed failed"
[ $failed = 0 ]
