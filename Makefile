# A thin front to CMake. `make` alone lists the targets.
BUILD ?= build
PREFIX ?= /usr/local
JOBS := $(shell nproc 2>/dev/null || echo 2)

FUZZ_SECONDS ?= 600
SOAK_SECONDS ?= 7200

.PHONY: help build demo test sanitize kills tsan memcheck emulated fuzz coverage soak lint format bench install uninstall clean

help:
	@echo "make demo      install what is missing, build, train on Fashion-MNIST, show the result"
	@echo "make test      install what is missing, build and run every test"
	@echo "make build     build the library and the command into $(BUILD)/"
	@echo "make sanitize  the tests under AddressSanitizer and UBSan"
	@echo "make tsan      the tests under ThreadSanitizer"
	@echo "make memcheck  the tests under valgrind"
	@echo "make emulated  the tests of the kernels with AVX-512 and bf16 emulated, for machines without"
	@echo "make fuzz      every reader under libFuzzer, FUZZ_SECONDS ($(FUZZ_SECONDS)) each"
	@echo "make coverage  which lines of src/ the tests run"
	@echo "make soak      SOAK_SECONDS ($(SOAK_SECONDS)) of training and reloading with flat memory"
	@echo "make kills     kill trainings at KILLS=1000 random moments, resume them, compare the bits"
	@echo "make bench     against PyTorch and oneDNN, growth: bench/results-ISA.md (PARTS=steps,bf16,memory,kernels,passes,growth; BENCH_QUICK=1)"
	@echo "make lint      clang-format, clang-tidy and cppcheck"
	@echo "make format    rewrite the sources in the project's style"
	@echo "make install   install into PREFIX ($(PREFIX)); DESTDIR is honoured"
	@echo "make uninstall removes what the last install put there"
	@echo "make clean     remove the build folders"

define configure
	@cmake -S . -B $(1) -DCMAKE_INSTALL_PREFIX="$(PREFIX)" $(2) > $(1).configure.log 2>&1 || { cat $(1).configure.log; exit 1; }
	@rm -f $(1).configure.log
endef

build:
	@tools/packages build
	$(call configure,$(BUILD),-DSWWAE_TESTS=OFF -DSWWAE_BENCH=OFF)
	cmake --build $(BUILD) -j $(JOBS)
	@echo "built $(BUILD)/swwae"

demo: build
	@tools/packages data
	@tools/demo $(BUILD)/swwae

test:
	@tools/packages build test data
	$(call configure,$(BUILD)-test,-DSWWAE_WERROR=ON)
	cmake --build $(BUILD)-test -j $(JOBS)
	ctest --test-dir $(BUILD)-test --output-on-failure -j $(JOBS)

sanitize:
	@tools/packages build test data
	$(call configure,$(BUILD)-asan,-DSWWAE_WERROR=ON -DSWWAE_SANITIZE=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSWWAE_BENCH=OFF)
	cmake --build $(BUILD)-asan -j $(JOBS)
	ctest --test-dir $(BUILD)-asan --output-on-failure -j $(JOBS)

tsan:
	@tools/packages build test data
	$(call configure,$(BUILD)-tsan,-DSWWAE_WERROR=ON -DSWWAE_TSAN=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSWWAE_BENCH=OFF)
	cmake --build $(BUILD)-tsan -j $(JOBS)
	TSAN_OPTIONS=halt_on_error=1 ctest --test-dir $(BUILD)-tsan --output-on-failure -j $(JOBS) $(TESTS)

memcheck:
	@tools/packages build test data memcheck
	$(call configure,$(BUILD)-memcheck,-DSWWAE_WERROR=ON -DSWWAE_MEMCHECK=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSWWAE_BENCH=OFF)
	cmake --build $(BUILD)-memcheck -j $(JOBS)
	ctest --test-dir $(BUILD)-memcheck --output-on-failure -j $(JOBS) $(TESTS)

# tests/emulated_avx512.h
emulated:
	@tools/packages build test data
	$(call configure,$(BUILD)-emulated,-DSWWAE_WERROR=ON -DSWWAE_EMULATE_AVX512=ON -DSWWAE_BENCH=OFF)
	cmake --build $(BUILD)-emulated -j $(JOBS)
	ctest --test-dir $(BUILD)-emulated --output-on-failure -j $(JOBS) $(or $(TESTS),-R 'kernels|engine')

fuzz:
	@tools/packages build test fuzz
	$(call configure,$(BUILD)-fuzz,-DSWWAE_FUZZ=ON -DSWWAE_BENCH=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=clang)
	cmake --build $(BUILD)-fuzz -j $(JOBS) --target fuzzers
	@tools/fuzz $(BUILD)-fuzz $(FUZZ_SECONDS) $(READERS)

coverage:
	@tools/packages build test data coverage
	$(call configure,$(BUILD)-coverage,-DSWWAE_COVERAGE=ON -DSWWAE_BENCH=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo)
	cmake --build $(BUILD)-coverage -j $(JOBS)
	find $(BUILD)-coverage -name '*.gcda' -delete
	ctest --test-dir $(BUILD)-coverage --output-on-failure -j $(JOBS)
	@tools/coverage $(BUILD)-coverage

soak:
	@tools/packages build test plots
	$(call configure,$(BUILD)-test,-DSWWAE_WERROR=ON)
	cmake --build $(BUILD)-test -j $(JOBS) --target soak
	@tools/soak $(BUILD)-test $(SOAK_SECONDS)

kills:
	@tools/packages build test
	$(call configure,$(BUILD)-test,-DSWWAE_WERROR=ON)
	cmake --build $(BUILD)-test -j $(JOBS) --target swwae_cli disk_faults
	python3 tests/kill_trainings.py $(BUILD)-test/swwae $(or $(KILLS),1000)

lint:
	@tools/packages build test lint
	@tools/lint

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

bench:
	@tools/packages build test bench
	$(call configure,$(BUILD)-test,)
	cmake --build $(BUILD)-test -j $(JOBS) --target bench_steps bench_memory bench_kernels swwae_cli
	@BENCH_QUICK=$(BENCH_QUICK) tools/bench $(BUILD)-test $(if $(filter 1,$(BENCH_QUICK)),$(BUILD)-test,bench) $(if $(PARTS),--parts $(PARTS))

install: build
	cmake --install $(BUILD) --prefix "$(PREFIX)"

uninstall:
	@test -f $(BUILD)/install_manifest.txt || { echo "nothing was installed from $(BUILD)/" >&2; exit 1; }
	sed "s|^|$(DESTDIR)|" $(BUILD)/install_manifest.txt | xargs -d '\n' rm -fv

clean:
	rm -rf $(BUILD) $(BUILD)-test $(BUILD)-asan $(BUILD)-tsan $(BUILD)-memcheck $(BUILD)-fuzz $(BUILD)-coverage $(BUILD)-lint $(BUILD)-emulated
