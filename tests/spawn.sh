#!/bin/sh
# Spawn where a program of its own is needed: libraries that are loaded late, executables that are replaced,
# names across executables, markers typed by hand.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh
out=$PWD/build/check/spawn
rm -rf "$out"
mkdir -p "$out/sub"
trap 'exit 130' INT TERM

# compile OUTPUT SOURCE OPTION...
compile() {
    output=$1
    source=$2
    shift 2
    # shellcheck disable=SC2086 # lists of words
    "${CC:-cc}" $C_TEST_FLAGS -Iinclude "$@" "tests/spawn/$source" -o "$out/$output" \
        -Lbuild/lib -Wl,-rpath,"$PWD/build/lib" ${LDFLAGS:-} -lmp -ldl
}

compile program program.c
compile other program.c -DANSWER=3
compile unnamed program.c -DUNNAMED
for id in sha1 none; do
    for answer in 5 6; do
        compile "$id-$answer.so" plugin.c -DANSWER=$answer -shared -fPIC "-Wl,--build-id=$id"
    done
done

# run ARGUMENT...: what the program prints; its sentences are in $out/err, its exit code in $code.
run() {
    code=0
    printed=$(timeout 60 "$@" 2>"$out/err" </dev/null 3</dev/zero) || code=$?
}

# prints NAME WANTED ARGUMENT...
prints() {
    name=$1
    wanted=$2
    shift 2
    run "$@"
    equal "$name" "0: $wanted" "$code: $(echo "$printed" | tr '\n' ' ' | sed 's/ $//')"
}

# says NAME TEXT: so did the program just run
says() { try "$1 says why" grep -q "$2" "$out/err"; }

both_7='process 8 pool 7777'
both_5='process 5 pool 5555'
unknown='process MP_ERR_UNKNOWN_TARGET pool MP_ERR_UNKNOWN_TARGET'

prints "functions of its own" "$both_7" "$out/program" own
prints "functions without names" "$both_7" "$out/unnamed" own

for id in sha1 none; do
    has=$(readelf -n "$out/$id-5.so" | grep -c 'Build ID' || true)
    equal "$id has a build-id or not" "$([ $id = none ] && echo 0 || echo 1)" "$has"
    prints "library, build-id $id" "$both_5" "$out/program" plugin "$out/$id-5.so"
    cp "$out/$id-5.so" "$out/sub/moved.so"
    cd "$out/sub"
    prints "library by a relative path, build-id $id" "$both_5" "$out/program" leave ./moved.so
    cp "$out/$id-6.so" other.so
    prints "library replaced, build-id $id" "$unknown" "$out/program" replace ./moved.so other.so
    says "library replaced, build-id $id" "does not have the function"
    # Now the file is the other one, and a program that loads it has it.
    prints "library after that, build-id $id" 'process 6 pool 6666' "$out/program" plugin ./moved.so
    cp "$out/$id-5.so" moved.so
    cp moved.so same.so
    prints "library replaced by its copy, build-id $id" "$both_5" "$out/program" replace ./moved.so same.so
    cd "$OLDPWD"
done

cp "$out/program" "$out/victim"
prints "executable removed" "$both_7" "$out/victim" remove "$out/victim"
cp "$out/program" "$out/victim"
cp "$out/other" "$out/usurper"
prints "executable replaced" "$both_7" "$out/victim" rename "$out/victim" "$out/usurper"

prints "another executable, by name" 'process 3 pool 3333' "$out/program" other "$out/other"
prints "another executable, no names" "$unknown" "$out/program" other-unnamed "$out/other"
prints "another executable, names unknown there" "$unknown" "$out/program" other "$out/unnamed"
says "another executable, names unknown there" "has not registered the name"
prints "functions of another executable alone" "process 3 pool 3333 $both_7" "$out/unnamed" named "$out/other"
prints "functions that it does not have" "$unknown $both_7" "$out/unnamed" named "$out/unnamed"

# Typed by hand, the marker leads to no segment: main goes on, and what is open stays open.
for marker in '' 3,0,0,0,0 0,0,0,0,0 3,1,10001,1,1 0,1,10001,1,1 -1,1,10001,1,1 99999999999,1,1,1,1 3 ',' ',,,,' \
    3,zz,1,1,1 3,ffffffffffffffff,ffffffff,ffffffffffffffff,ffffffffffffffff 3,1,10001,1,1,9 "$(printf '\377')" \
    999,1,10001,1,1 2,1,10001,1,1; do
    prints "marker \"$marker\"" 'went on' "$out/program" "--mp-child=$marker"
done
finish
