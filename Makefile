# Builds, installs and checks libmp. `make help` lists the targets and the variables.

CC ?= cc
CXX ?= c++
CARGO ?= cargo
RUSTC ?= rustc
PKG_CONFIG ?= pkg-config
OBJCOPY ?= objcopy
READELF ?= readelf
STRIP ?= strip
CFLAGS ?= -O2 -g
CXXFLAGS ?= -O1 -g
CXX_STD = c++17

PREFIX = /usr/local
LIBDIR = $(PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
MANDIR = $(PREFIX)/share/man
DESTDIR =

# Cargo.toml has the one version number.
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
SONAME := libmp.so.$(firstword $(subst ., ,$(VERSION)))
LIBRARY := build/lib/libmp.so.$(VERSION)
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
RUST_ARCHIVE := $(TARGET_DIR)/$(if $(CARGO_BUILD_TARGET),$(CARGO_BUILD_TARGET)/)library/libmp.a

WARNINGS = -std=c99 -D_GNU_SOURCE -Wall -Wextra -pedantic
LINK = -Lbuild/lib -Wl,-rpath,'$$ORIGIN/../lib' $(LDFLAGS) -lmp -pthread
TO_BUILD := Cargo.toml Cargo.lock make/remap.sh $(shell find src -name '*.rs')

MPSUM := $(wildcard examples-c/mpsum.c examples-c/mpsum/*.c)
EXAMPLES := $(patsubst examples-c/%.c,build/examples/%,$(filter-out $(MPSUM),$(wildcard examples-c/*.c)))
MANDELBROT := $(wildcard examples-c/mandelbrot/*.c)
NEED_UV = tests/need.sh libuv1-dev $(PKG_CONFIG) --exists libuv
NEED_PNG = tests/need.sh libpng-dev $(PKG_CONFIG) --exists libpng
NEED_CRYPTO = tests/need.sh libssl-dev $(PKG_CONFIG) --exists libcrypto
BENCHES := $(patsubst benches/%.c,build/benches/%,$(wildcard benches/bench_*.c))
# A peer in C++; empty where its headers are not.
BENCH_BOOST = $(if $(shell $(CXX) -fsyntax-only benches/boost.cc -Iinclude 2>&1 || echo no),,build/benches/boost.o)
# A peer that is compiled in where the compiler has it.
BENCH_OPENMP = $(shell $(CC) -fopenmp -include omp.h -fsyntax-only -x c /dev/null 2>/dev/null && echo -fopenmp)
BENCH_REDIS = $(shell $(CC) -include hiredis/hiredis.h -fsyntax-only -x c /dev/null 2>/dev/null && echo -lhiredis)
CPP_TESTS := $(patsubst cpp-tests/%.cc,build/cpp-tests/%.o,$(wildcard cpp-tests/*.cc))
# What the tests in C++ have of those in C.
HARNESS := $(patsubst %,build/c-tests/%.o,batch harness inside job names procfs runner)
C_TESTS := $(patsubst c-tests/%.c,build/c-tests/%.o,$(filter-out c-tests/bad.c,$(wildcard c-tests/*.c)))

# What the scripts are told.
C_TEST_FLAGS = $(CFLAGS) $(WARNINGS) -Werror -O1 -g
export HARNESS CC CXX LD AR OBJCOPY READELF STRIP CARGO CFLAGS LDFLAGS C_TEST_FLAGS PKG_CONFIG MAKE

.DELETE_ON_ERROR:
.PRECIOUS: build/benches/%.o
.PHONY: all header docs pictures demo check models hammer rounds pools messages crowd checked fuzz bench bench-peers examples examples-cpp c-tests cpp-tests install installcheck install-strip uninstall clean help

all: $(LIBRARY) build/lib/libmp.a ## the library, in build/lib

# The crate, as rustc leaves it. The profile is one of make's own: cargo would not build again what it
# had built without make/remap.sh.
build/rust/libmp.a: $(TO_BUILD)
	MP_RUSTC_WRAPPER="$$RUSTC_WRAPPER" RUSTC_WRAPPER='$(CURDIR)/make/remap.sh' \
	    $(CARGO) build --profile library --locked --lib --target-dir $(TARGET_DIR)
	@mkdir -p $(@D)
	install -m 644 $(RUST_ARCHIVE) $@

build/rust/exports: libmp.map
	@mkdir -p $(@D)
	sed -n 's/^ *\(mp_[a-z0-9_]*\);$$/\1/p' $< >$@
	test -s $@

# What a program needs besides libmp.a. rustc knows it for this platform. libgcc_s is left to the C
# compiler, which adds it where it is needed and libgcc_eh instead where the program is static.
build/rust/libs-private:
	@mkdir -p $(@D)
	echo | $(RUSTC) --crate-type staticlib --crate-name empty -o build/rust/empty.a \
	    $(if $(CARGO_BUILD_TARGET),--target $(CARGO_BUILD_TARGET)) --print native-static-libs - 2>&1 | \
	    sed -n 's/^note: native-static-libs: //p' | sed 's/-lgcc_s *//' >$@
	rm -f build/rust/empty.a
	test -s $@

build/lib/libmp.a: build/rust/libmp.a build/rust/exports make/archive.sh
	@mkdir -p $(@D)
	make/archive.sh build/rust/libmp.a build/rust/exports $@

# Linked here and not by cargo, which cannot give the exports their version.
$(LIBRARY): build/rust/libmp.a build/rust/libs-private libmp.map
	@mkdir -p $(@D)
	rm -f build/lib/libmp.so*
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -o $@ -Wl,-soname,$(SONAME) -Wl,--build-id=sha1 -Wl,--gc-sections \
	    -Wl,--version-script,libmp.map -Wl,--no-undefined-version \
	    -Wl,-z,defs -Wl,-z,text -Wl,-z,noexecstack -Wl,-z,relro -Wl,-z,now -Wl,-z,nodelete \
	    -Wl,--whole-archive build/rust/libmp.a -Wl,--no-whole-archive \
	    -Wl,--as-needed $$(cat build/rust/libs-private)
	ln -s libmp.so.$(VERSION) build/lib/$(SONAME)
	ln -s $(SONAME) build/lib/libmp.so

header: ## write include/mp.h and libmp.map from src/ffi
	MP_HEADER_WRITE=1 $(CARGO) test --locked -q --test header _is_up_to_date

docs: ## what mp.h says, as HTML and manual pages, in build/docs
	@tests/need.sh doxygen doxygen --version
	make/docs.sh $(CURDIR)/build/docs

# The manual pages that are installed, where there is Doxygen.
build/docs/made: include/mp.h $(wildcard docs/*.md) make/docs.sh make/doxygen.awk
	@if command -v doxygen >/dev/null; then make/docs.sh $(CURDIR)/build/docs && touch $@; \
	else echo 'skipped: no manual pages, for there is no doxygen'; fi

# Two workers, and rows that take some time: the bars are then wide enough to be seen.
pictures: build/examples/mandelbrot ## the pictures in README, in docs/pictures
	build/examples/mandelbrot 640 480 docs/pictures/mandelbrot.png 2
	MP_TRACE=build/timeline.json build/examples/mandelbrot 20000 24 build/timeline.png 2
	python3 docs/pictures/timeline.py build/timeline.json >docs/pictures/timeline.svg

build/examples/%: examples-c/%.c include/mp.h $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARNINGS) -Iinclude $< -o $@ $(LINK)

build/examples/mpsum: $(MPSUM) $(wildcard examples-c/mpsum/*.h) include/mp.h $(LIBRARY)
	@mkdir -p $(@D)
	@if $(NEED_CRYPTO); then \
	    $(CC) $(CFLAGS) $(WARNINGS) -Iinclude $$($(PKG_CONFIG) --cflags libcrypto) $(MPSUM) -o $@ \
	        $(LINK) $$($(PKG_CONFIG) --libs libcrypto); \
	else echo 'skipped: mpsum is not built'; fi

build/examples/mandelbrot: $(MANDELBROT) include/mp.h $(LIBRARY)
	@mkdir -p $(@D)
	@if $(NEED_PNG); then \
	    $(CC) $(CFLAGS) $(WARNINGS) -Iinclude $$($(PKG_CONFIG) --cflags libpng) $(MANDELBROT) -o $@ \
	        $(LINK) $$($(PKG_CONFIG) --libs libpng); \
	else echo 'skipped: mandelbrot is not built'; fi

build/examples/wait_libuv: examples-c/wait_libuv/wait_libuv.c include/mp.h $(LIBRARY)
	@mkdir -p $(@D)
	@if $(NEED_UV); then \
	    $(CC) $(CFLAGS) $(WARNINGS) -Iinclude $$($(PKG_CONFIG) --cflags libuv) $< -o $@ \
	        $(LINK) $$($(PKG_CONFIG) --libs libuv); \
	else echo 'skipped: wait_libuv is not built'; fi

examples: $(EXAMPLES) build/examples/mpsum build/examples/wait_libuv build/examples/mandelbrot ## the programs of examples-c/, in build/examples

build/examples-cpp/%: examples-cpp/%.cc include/mp.h include/mp.hpp $(wildcard include/mp/*.hpp) $(LIBRARY)
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -std=$(CXX_STD) -Wall -Wextra -pedantic -Werror -Iinclude $< -o $@ $(LINK)

examples-cpp: $(patsubst examples-cpp/%.cc,build/examples-cpp/%,$(wildcard examples-cpp/*.cc)) ## the programs of examples-cpp/, in build/examples-cpp

demo: examples ## run pool_square, then mpsum beside sha256sum
	@$(NEED_CRYPTO)
	build/examples/pool_square
	examples-c/demo.sh

build/benches/%.o: benches/%.c $(wildcard benches/*.h benches/peers/*.h) include/mp.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARNINGS) -Iinclude -c $< -o $@

# Not a program's prerequisite: it may not be there.
build/benches/%: build/benches/%.o build/benches/bench.o benches/boost.cc $(LIBRARY)
	@set -e; boost='$(BENCH_BOOST)'; \
	if [ -n "$$boost" ]; then $(CXX) $(CFLAGS) -Iinclude -c benches/boost.cc -o "$$boost"; fi; \
	$(CC) $(CFLAGS) $< build/benches/bench.o $$boost -o $@ $(LINK) $${boost:+-lstdc++}

build/benches/bench_workers build/benches/bench_workers.o: private CFLAGS += $(BENCH_OPENMP)
build/benches/bench_manager.o: private CFLAGS += $(if $(BENCH_REDIS),-DHAVE_HIREDIS)
build/benches/bench_manager: private LDFLAGS += $(BENCH_REDIS)

# The queue's benches are of several files; its peers are built as far as they can be had.
FLOW := build/benches/bench_queue build/benches/bench_connection
FLOW_OBJECTS := build/benches/flow.o build/benches/peers/kernel.o build/benches/peers/libmp.o
build/benches/peers/%.o: benches/peers/%.c $(wildcard benches/peers/*.h) include/mp.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARNINGS) -Iinclude -c $< -o $@

$(FLOW): build/benches/bench_%: build/benches/bench_%.o build/benches/bench.o $(FLOW_OBJECTS) $(LIBRARY)
	$(CC) $(CFLAGS) $(filter %.o,$^) -o $@ $(LINK) -ldl -lrt

bench-peers:
	@benches/peers/build.sh build/benches/peers

bench: $(BENCHES) examples bench-peers ## measure libmp beside what one would use instead
	@set -e; for program in $(BENCHES) $(wildcard benches/*.sh); do \
	    case $$program in *'$(BENCH)'*) echo "== $$program"; $$program $(if $(ROWS),'$(ROWS)');; esac; done

build/c-tests/%.o: c-tests/%.c $(wildcard c-tests/*.h) include/mp.h
	@mkdir -p $(@D)
	$(CC) $(C_TEST_FLAGS) -Iinclude -c $< -o $@

build/c-tests/run: $(C_TESTS) $(LIBRARY)
	$(CC) $(CFLAGS) $(C_TESTS) -o $@ $(LINK)

c-tests: build/c-tests/run ## the C test suite; run it by build/c-tests/run

build/cpp-tests/%.o: cpp-tests/%.cc cpp-tests/test.hpp c-tests/harness.h include/mp.h include/mp.hpp $(wildcard include/mp/*.hpp)
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -std=$(CXX_STD) -Wall -Wextra -pedantic -Werror -Iinclude -c $< -o $@

build/cpp-tests/run: $(CPP_TESTS) $(HARNESS) $(LIBRARY)
	$(CXX) $(CXXFLAGS) $(CPP_TESTS) $(HARNESS) -o $@ $(LINK)

cpp-tests: build/cpp-tests/run ## the tests of mp.hpp; run them by build/cpp-tests/run

check: ## everything that has to hold before a change goes in
	@tests/check.sh

models: ## the models of src/park, src/queue and the bells of pipes in more ways than make check has time for
	MP_MODELS=long $(CARGO) test --locked -p libmp-models -- --nocapture

hammer: build/c-tests/run ## 10,000 kills at each primitive, 4,000 at queues of each kind: some fifteen minutes
	MP_HAMMER=10000 build/c-tests/run --filter hammer. --jobs 1 --timeout-scale 30
	MP_HAMMER=4000 build/c-tests/run --filter .kill_200_ --filter .four_and_four_ --jobs 1 --timeout-scale 30

rounds: build/c-tests/run ## 20,000 starts and joins by each start method: some two minutes
	@set -e; for method in fork spawn forkserver; do \
	    MP_ROUNDS=20000 build/c-tests/run --start $$method --filter rounds. --jobs 1 --timeout-scale 30; done

pools: build/c-tests/run ## 10,000,000 tasks through a pool, and two minutes of kills at random: some three minutes
	MP_POOL_TASKS=10000000 build/c-tests/run --filter pool_long. --jobs 1 --timeout-scale 30 -v
	MP_POOL_STORM=120 build/c-tests/run --filter pool_storm. --jobs 1 --timeout-scale 30 -v

messages: build/c-tests/run ## 1,000,000 messages both ways at once through each kind of connection: some two minutes
	MP_MESSAGES=1000000 build/c-tests/run --filter connection_long. --jobs 1 --timeout-scale 30 -v

crowd: build/c-tests/run ## 10,000 idle clients of a manager's, or as many as RLIMIT_NOFILE allows
	MP_IDLE=10000 build/c-tests/run --filter manager.idle_clients --jobs 1 --timeout-scale 10 -v

checked: ## the C suite, with a library that checks its arithmetic and its assertions: some four minutes
	tests/checked.sh

fuzz: ## libFuzzer over what a peer may send, for FUZZ_SECONDS each; needs a nightly compiler
	fuzz/run.sh

install: $(LIBRARY) build/lib/libmp.a build/rust/libs-private build/docs/made ## into DESTDIR/PREFIX
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(LIBDIR)/cmake/mp $(DESTDIR)$(INCLUDEDIR)/mp
	install -m 644 include/mp.h include/mp.hpp $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(wildcard include/mp/*.hpp) $(DESTDIR)$(INCLUDEDIR)/mp
	install -m 644 build/lib/libmp.a $(DESTDIR)$(LIBDIR)/libmp.a
	install -m 755 $(LIBRARY) $(DESTDIR)$(LIBDIR)/libmp.so.$(VERSION)
	ln -sf libmp.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libmp.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
	    -e 's|@LIBDIR@|$(LIBDIR:$(PREFIX)/%=$${prefix}/%)|' \
	    -e 's|@INCLUDEDIR@|$(INCLUDEDIR:$(PREFIX)/%=$${prefix}/%)|' \
	    -e "s|@LIBS_PRIVATE@|$$(cat build/rust/libs-private)|" \
	    pkgconfig/libmp.pc.in >build/libmp.pc
	install -m 644 build/libmp.pc $(DESTDIR)$(LIBDIR)/pkgconfig/libmp.pc
	@set -e; for file in mp-config mp-config-version; do \
	    sed -e 's|@VERSION@|$(VERSION)|' -e 's|@SONAME@|$(SONAME)|' \
	        -e "s|@INCLUDE_FROM_LIB@|$$(realpath -ms --relative-to='$(LIBDIR)' '$(INCLUDEDIR)')|" \
	        -e "s|@LIBS_PRIVATE@|$$(tr -s ' ' ';' <build/rust/libs-private | sed 's/^;//;s/;$$//')|" \
	        cmake/$$file.cmake.in >build/$$file.cmake; \
	    install -m 644 build/$$file.cmake $(DESTDIR)$(LIBDIR)/cmake/mp; \
	done
	@set -e; if [ -e build/docs/made ]; then \
	    install -d $(DESTDIR)$(MANDIR)/man3; \
	    install -m 644 build/docs/man/man3/libmp_*.3 build/docs/man/man3/[Mm][Pp][._]*.3 $(DESTDIR)$(MANDIR)/man3; \
	fi
	@# Outside a staged tree the loader's cache has to learn the new name.
	@test -n "$(DESTDIR)" || PATH="$$PATH:/sbin:/usr/sbin" ldconfig 2>/dev/null || true

# What a packager runs on the finished package.
INSTALLED_TESTS = $(patsubst build/%.o,%.c,$(C_TESTS))
installcheck: ## the C test suite, against the libmp that pkg-config finds
	@mkdir -p build/installed
	$(CC) $(C_TEST_FLAGS) $(INSTALLED_TESTS) -o build/installed/run \
	    $$($(PKG_CONFIG) --cflags --libs libmp) -pthread
	build/installed/run

install-strip: install ## the same, without debugging information
	$(STRIP) -g $(DESTDIR)$(LIBDIR)/libmp.a
	$(STRIP) --strip-unneeded $(DESTDIR)$(LIBDIR)/libmp.so.$(VERSION)

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(INCLUDEDIR)/mp.h $(DESTDIR)$(INCLUDEDIR)/mp.hpp $(DESTDIR)$(LIBDIR)/pkgconfig/libmp.pc
	rm -f $(patsubst include/%,$(DESTDIR)$(INCLUDEDIR)/%,$(wildcard include/mp/*.hpp))
	rm -f $(DESTDIR)$(LIBDIR)/cmake/mp/mp-config.cmake $(DESTDIR)$(LIBDIR)/cmake/mp/mp-config-version.cmake
	rmdir $(DESTDIR)$(INCLUDEDIR)/mp $(DESTDIR)$(LIBDIR)/cmake/mp $(DESTDIR)$(LIBDIR)/cmake 2>/dev/null || true
	rm -f $(DESTDIR)$(LIBDIR)/libmp.a $(DESTDIR)$(LIBDIR)/libmp.so
	rm -f $(DESTDIR)$(LIBDIR)/$(SONAME) $(DESTDIR)$(LIBDIR)/libmp.so.$(VERSION)
	@# Others have pages whose names begin as ours do.
	@cd $(DESTDIR)$(MANDIR)/man3 2>/dev/null || exit 0; \
	grep -ls -e '^\.TH .* "libmp"' -e '^\.so man3/libmp_' -e '^\.so man3/mp\.h\.3' [Mm][Pp][._]*.3 | xargs rm -f libmp_*.3

clean: ## remove build and target
	rm -rf build
	$(CARGO) clean -q --target-dir $(TARGET_DIR)

help: ## this text
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'
	@echo
	@echo 'Variables: PREFIX=$(PREFIX) LIBDIR INCLUDEDIR MANDIR DESTDIR CC CXX CFLAGS LDFLAGS CARGO RUSTC'
	@echo '           CARGO_BUILD_TARGET LD AR OBJCOPY READELF STRIP PKG_CONFIG'
	@echo '           BENCH and ROWS: parts of the names of benches, and of their rows'
	@echo 'As root, missing packages that a check needs are installed by apt-get; MP_NO_APT=1 forbids it.'
