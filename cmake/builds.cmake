# What kinds of build there are besides the plain one: watched by a sanitizer, measured for coverage,
# hardened. OPTIMISATION, KERNEL_OPTIMISATION: how much to optimise the library and its kernels.
option(SWWAE_SANITIZE "Build with AddressSanitizer and UBSan" OFF)
option(SWWAE_TSAN "Build with ThreadSanitizer" OFF)
option(SWWAE_FUZZ "Build the readers for libFuzzer (clang), with AddressSanitizer and UBSan" OFF)
option(SWWAE_COVERAGE "Count which lines run (gcov)" OFF)
option(SWWAE_MEMCHECK "Run the tests under valgrind" OFF)
option(SWWAE_EMULATE_AVX512 "Kernels of AVX-512 in plain C, for machines without it" OFF)
option(SWWAE_HARDEN "Stack protector, _FORTIFY_SOURCE, full RELRO, PIE, no executable stack" ON)

# Sanitizers' checks in unrolled loops take minutes to optimise; -g1 knows lines and no variables, and takes a quarter less.
set(OPTIMISATION $<$<NOT:$<CONFIG:Debug>>:-O3>)
set(KERNEL_OPTIMISATION ${OPTIMISATION})
if(SWWAE_FUZZ)
  set(SWWAE_SANITIZE ON)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(SWWAE_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=address,undefined)
  # AddressSanitizer sees these two itself, and they double the time that unrolled loops take to build
  set(KERNEL_OPTIMISATION -O1 -fno-sanitize=null,object-size)
endif()
if(SWWAE_TSAN)
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=thread)
  set(KERNEL_OPTIMISATION -O1)
endif()
if(SWWAE_COVERAGE)
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
  set(OPTIMISATION -O1) # lines stay apart
  set(KERNEL_OPTIMISATION -O1)
endif()

if(SWWAE_EMULATE_AVX512)
  set(KERNEL_OPTIMISATION -O1) # unrolled loops of emulated instructions take minutes to optimise
endif()
if(SWWAE_MEMCHECK)
  set(KERNEL_OPTIMISATION -O2)
  add_compile_options(-g)
  # valgrind 3.19 knows no AVX-512 and shows programs a processor without it
  set(CMAKE_CROSSCOMPILING_EMULATOR valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite
      --suppressions=${PROJECT_SOURCE_DIR}/tests/valgrind.supp)
endif()

if(SWWAE_HARDEN)
  include(CheckPIESupported)
  check_pie_supported(LANGUAGES C)
  add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
  # Sanitizers see more than these; the kernels get neither (they take no sizes from outside).
  if(NOT SWWAE_SANITIZE AND NOT SWWAE_TSAN AND NOT CMAKE_BUILD_TYPE STREQUAL Debug)
    set(HARDENED_OPTIONS -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  endif()
endif()
