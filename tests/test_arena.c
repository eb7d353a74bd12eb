/* test_arena.c - memory booked once: what is measured is what is taken, aligned, zeroed, apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

#if defined(__SANITIZE_ADDRESS__)
#define TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_ASAN 1
#endif
#endif
#ifdef TEST_ASAN
#include <sanitizer/asan_interface.h>
#endif

static const struct {
    size_t count, bytes;
} pieces[] = {{1, 1}, {3, 4}, {0, 8}, {64, 1}, {65, 1}, {16, 4}, {1000, 8}, {1, 63}, {7, 13}};
enum { PIECES = sizeof pieces / sizeof *pieces };

static void take_all(struct arena *arena, char **taken) {
    for (int i = 0; i < PIECES; i++) taken[i] = arena_take(arena, pieces[i].count, pieces[i].bytes);
}

static void measures_then_gives_the_same(void **state) {
    (void)state;
    struct arena arena = {0};
    char *taken[PIECES];
    size_t total = 0;
    take_all(&arena, taken);
    for (int i = 0; i < PIECES; i++) {
        assert_null(taken[i]);
        total += pieces[i].count * pieces[i].bytes;
    }
    size_t measured = arena.used;
    assert_true(measured >= total && measured % 64 == 0);

    assert_int_equal(arena_allocate(&arena), SWWAE_OK);
    assert_int_equal(arena.size, measured);
    assert_int_equal(arena.used, 0);
    take_all(&arena, taken);
    assert_int_equal(arena.used, measured);
    assert_int_equal(arena.overflowed, 0);
    for (int i = 0; i < PIECES; i++) {
        size_t size = pieces[i].count * pieces[i].bytes;
        assert_non_null(taken[i]);
        assert_int_equal((uintptr_t)taken[i] % 64, 0);
        assert_true(taken[i] >= arena.base && taken[i] + size <= arena.base + arena.size);
        for (size_t k = 0; k < size; k++) assert_int_equal(taken[i][k], 0);
#ifdef TEST_ASAN
        assert_false(size && __asan_region_is_poisoned(taken[i], size));
        assert_true(__asan_address_is_poisoned(taken[i] + size));
        assert_true(__asan_address_is_poisoned(taken[i] + size + 63));
#endif
    }
    /* no piece reaches into another */
    for (int i = 0; i < PIECES; i++) memset(taken[i], i + 1, pieces[i].count * pieces[i].bytes);
    for (int i = 0; i < PIECES; i++)
        for (size_t k = 0; k < pieces[i].count * pieces[i].bytes; k++)
            assert_int_equal(taken[i][k], i + 1);

    arena_free(&arena);
    assert_null(arena.base);
    assert_int_equal(arena.size, 0);
    assert_int_equal(arena.used, 0);
}

static void allows_nothing(void **state) {
    (void)state;
    struct arena arena = {0};
    assert_int_equal(arena_allocate(&arena), SWWAE_OK);
    assert_non_null(arena.base);
    arena_free(&arena);
    arena_free(&arena); /* again: nothing left to free */
}

static void check_refusal(struct arena *arena) {
    assert_int_equal(arena_allocate(arena), SWWAE_E_MEMORY);
    assert_string_equal(swwae_last_error(), "the sizes asked for do not fit into memory");
    assert_null(arena->base);
    arena_free(arena);
    assert_int_equal(arena->overflowed, 0);
}

static void refuses_sizes_that_wrap(void **state) {
    (void)state;
    struct arena arena = {0};
    assert_null(arena_take(&arena, SIZE_MAX / 4 + 2, 4)); /* the product wraps to 4 */
    check_refusal(&arena);
    assert_null(arena_take(&arena, SIZE_MAX, 1)); /* rounding up wraps */
    check_refusal(&arena);
    assert_null(arena_take(&arena, SIZE_MAX / 2, 1)); /* the sum wraps */
    assert_int_equal(arena.overflowed, 0);
    assert_null(arena_take(&arena, SIZE_MAX / 2, 1));
    assert_int_equal(arena.overflowed, 1);
    assert_null(arena_take(&arena, 1, 1)); /* a small piece later does not hide it */
    check_refusal(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_then_gives_the_same),
        cmocka_unit_test(allows_nothing),
        cmocka_unit_test(refuses_sizes_that_wrap),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
