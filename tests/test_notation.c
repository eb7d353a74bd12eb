/* test_notation.c - the architecture language: what is read, what is printed back, and the exact
 * sentence for every fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "model/notation.h"

/* The nets of the paper's section 4. */
#define STL10                                                                                    \
    "(64)3c-4p-(64)3c-3p-(128)3c-(128)3c-2p-(256)3c-(256)3c-(256)3c-(512)3c-(512)3c-(512)3c-2p-" \
    "10fc"
#define CIFAR \
    "(128)3c-(256)3c-2p-(256)3c-(512)3c-2p-(512)3c-(512)3c-2p-(512)3c-(512)3c-2p-128fc-10fc"

#define REPEAT4(x) x x x x
#define REPEAT12(x) REPEAT4(x) REPEAT4(x) REPEAT4(x)

static const struct {
    const char *text, *canonical; /* NULL: the same */
    int stages, fcs;
} valid[] = {
    {"(64)5c-2p", NULL, 1, 0},
    {"(16)5c-(32)3c-7p", NULL, 1, 0},
    {"(64)5c-2p-(64)3c-2p-10fc", NULL, 2, 1},
    {"(64)5c-2p-(64)3c-2p-(64)3c-2p-10fc", NULL, 3, 1},
    {"(128)5c-2p-(128)3c-(256)3c-2p-(256)3c-2p-10fc", NULL, 3, 1},
    {"(32)5c-(32)3c-2p-(32)3c-16p", NULL, 2, 0},
    {STL10, NULL, 4, 1},
    {CIFAR, NULL, 4, 2},
    {"(1)1c-2p-1fc", NULL, 1, 1},
    {"(4096)11c-16p-65536fc", NULL, 1, 1},
    {" \t( 64 )\n5 c - 2 p\r-\f10\vfc ", "(64)5c-2p-10fc", 1, 1},
    {"(064)05c-02p-010fc", "(64)5c-2p-10fc", 1, 1},
    {REPEAT12("(1)1c-2p-") REPEAT4("1fc-") "1fc-1fc-1fc-1fc", NULL, 12, 8},
    {REPEAT12("(1)1c-") "2p", NULL, 1, 0},
};

#define LAYER0 "expected a convolution such as (64)5c"
#define IN_STAGE "expected a convolution such as (64)5c or a pool such as 2p"
#define AFTER_POOL "expected a convolution such as (64)5c or a fully connected layer such as 10fc"
#define AFTER_FC "expected a fully connected layer such as 10fc"
#define NO_POOL "expected '-' and a pool: a stage must end with a pool such as 2p"
#define UNIT "expected 'p' for a pool or 'fc' for a fully connected layer"

static const struct {
    const char *text, *message; /* the message after `architecture "<text>": at character ` */
} faulty[] = {
    /* nothing, or what is no layer */
    {"", "1, the end of the text found, " LAYER0},
    {"   ", "4, the end of the text found, " LAYER0},
    {"x", "1, 'x' found, " LAYER0},
    {"-(64)5c-2p", "1, '-' found, " LAYER0},
    {"(64)5c-*", "8, '*' found, " IN_STAGE},
    {"(64)5c-2p-*", "11, '*' found, " AFTER_POOL},
    {"(64)5c-2p-10fc-*", "16, '*' found, " AFTER_FC},
    /* numbers */
    {"()5c-2p", "2, ')' found, expected a map count: a number from 1 to 4096"},
    {"(-4)5c-2p", "2, '-' found, expected a map count: a number from 1 to 4096"},
    {"(", "2, the end of the text found, expected a map count: a number from 1 to 4096"},
    {"(64)c-2p", "5, 'c' found, expected a kernel size: an odd number from 1 to 11"},
    {"(64)", "5, the end of the text found, expected a kernel size: an odd number from 1 to 11"},
    {"(0)5c-2p", "2, map count 0 found, expected a number from 1 to 4096"},
    {"(4097)5c-2p", "2, map count 4097 found, expected a number from 1 to 4096"},
    {"(4294967360)5c-2p", "2, map count 4294967360 found, expected a number from 1 to 4096"},
    {"(18446744073709551680)5c-2p",
     "2, map count 18446744073709551680 found, expected a number from 1 to 4096"},
    {"(1000000000000000000000)5c-2p",
     "2, map count 10000000000000000000... found, expected a number from 1 to 4096"},
    {"(64)5c-2p-(64)4c-2p", "15, kernel size 4 found, expected an odd number from 1 to 11"},
    {"(64)0c-2p", "5, kernel size 0 found, expected an odd number from 1 to 11"},
    {"(64)13c-2p", "5, kernel size 13 found, expected an odd number from 1 to 11"},
    {"(64)5c-0p", "8, pool size 0 found, expected a number from 2 to 16"},
    {"(64)5c-1p", "8, pool size 1 found, expected a number from 2 to 16"},
    {"(64)5c-17p", "8, pool size 17 found, expected a number from 2 to 16"},
    {"(64)5c-2p-0fc", "11, unit count 0 found, expected a number from 1 to 65536"},
    {"(64)5c-2p-65537fc", "11, unit count 65537 found, expected a number from 1 to 65536"},
    /* pieces of a layer */
    {"(64", "4, the end of the text found, expected ')' after the map count"},
    {"(64 5c-2p", "5, '5' found, expected ')' after the map count"},
    {"(64)5", "6, the end of the text found, expected 'c' after the kernel size"},
    {"(64)5p", "6, 'p' found, expected 'c' after the kernel size"},
    {"(64)5C-2p", "6, 'C' found, expected 'c' after the kernel size"},
    {"(64)5.5c-2p", "6, '.' found, expected 'c' after the kernel size"},
    {"5c-2p", "1, a convolution without its map count found, expected it in parentheses, such as "
              "(64)5c"},
    {"(64)5c-2", "9, the end of the text found, " UNIT},
    {"(64)5c-2x", "9, 'x' found, " UNIT},
    {"(64)5c-1 0p", "10, '0' found, " UNIT},
    {"(64)5c-2p-10f c", "13, 'f' found, " UNIT},
    {"(64)5c-2p-10f", "13, 'f' found, " UNIT},
    /* order */
    {"2p", "1, pool 2p found, " LAYER0 ": a stage is one or more convolutions, then a pool"},
    {"(64)5c-2p-2p",
     "11, pool 2p found, " AFTER_POOL ": a stage is one or more convolutions, then a pool"},
    {"(64)5c", "7, the end of the text found, " NO_POOL},
    {"(64)5c-2p-(64)3c", "17, the end of the text found, " NO_POOL},
    {"(64)5c-10fc",
     "8, fully connected layer 10fc found, " IN_STAGE ": a stage must end with a pool such as 2p"},
    {"10fc", "1, fully connected layer 10fc found, " LAYER0
             ": fully connected layers come after the last pool"},
    {"(64)5c-2p-10fc-( 64 )3c-2p",
     "16, convolution ( 64 )3c found, " AFTER_FC ": fully connected layers come last"},
    {"(64)5c-2p-10fc-2p", "16, pool 2p found, " AFTER_FC ": fully connected layers come last"},
    /* dashes */
    {"(64)5c-", "7, a trailing '-' found, " IN_STAGE " after it"},
    {"(64)5c-2p-", "10, a trailing '-' found, " AFTER_POOL " after it"},
    {"(64)5c-2p-10fc - ", "16, a trailing '-' found, " AFTER_FC " after it"},
    {"(64)5c--2p", "8, '-' found, " IN_STAGE},
    {"(64)5c2p", "7, '2' found, expected '-' between layers"},
    {"(64)5c-2p(64)3c-2p", "10, '(' found, expected '-' between layers"},
    {"(64)5c-2p 10fc", "11, '1' found, expected '-' between layers"},
    {"(64)5c-2p,", "10, ',' found, expected '-' between layers"},
    /* too many */
    {REPEAT12("(1)1c-") "(1)1c-2p", "73, convolution 13 of a stage found, expected at most 12"},
    {REPEAT12("(1)1c-2p-") "(1)1c-2p", "109, stage 13 found, expected at most 12 stages"},
    {"(1)1c-2p-1fc-1fc-1fc-1fc-1fc-1fc-1fc-1fc-1fc",
     "42, fully connected layer 9 found, expected at most 8"},
};

static void reads_and_prints_valid_texts(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        struct notation n, again;
        char text[NOTATION_TEXT], twice[NOTATION_TEXT];
        if (notation_parse(&n, valid[i].text)) fail_msg("%s", swwae_last_error());
        assert_int_equal(n.stages, valid[i].stages);
        assert_int_equal(n.fcs, valid[i].fcs);
        notation_print(text, &n);
        assert_string_equal(text, valid[i].canonical ? valid[i].canonical : valid[i].text);
        assert_int_equal(notation_parse(&again, text), SWWAE_OK);
        assert_memory_equal(&n, &again, sizeof n);
        notation_print(twice, &again);
        assert_string_equal(twice, text);
    }
}

static void fills_every_field(void **state) {
    (void)state;
    struct notation n;
    assert_int_equal(notation_parse(&n, "(128)5c-2p-(32)3c-(256)7c-3p-128fc-10fc"), SWWAE_OK);
    struct notation expected = {
        .stages = 2,
        .stage = {{.convs = 1, .maps = {128}, .kernel = {5}, .pool = 2},
                  {.convs = 2, .maps = {32, 256}, .kernel = {3, 7}, .pool = 3}},
        .fcs = 2,
        .units = {128, 10},
    };
    assert_memory_equal(&n, &expected, sizeof n);
}

static void names_every_fault(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
        struct notation n, before;
        char expected[1024];
        memset(&n, 0x5a, sizeof n);
        before = n;
        snprintf(expected, sizeof expected, "architecture \"%s\": at character %s", faulty[i].text,
                 faulty[i].message);
        assert_int_equal(notation_parse(&n, faulty[i].text), SWWAE_E_NOTATION);
        assert_string_equal(swwae_last_error(), expected);
        assert_memory_equal(&n, &before, sizeof n);
    }
}

/* Bytes that would spoil a terminal are shown as '?', and named where they are the fault. */
static void quotes_hostile_bytes_safely(void **state) {
    (void)state;
    struct notation n;
    assert_int_equal(notation_parse(&n, "(64)5c\n-\xc3\xa9"), SWWAE_E_NOTATION);
    assert_string_equal(swwae_last_error(),
                        "architecture \"(64)5c?-??\": at character 9, byte 0xC3 found, " IN_STAGE);
    assert_int_equal(notation_parse(&n, "\x1b[31m"), SWWAE_E_NOTATION);
    assert_string_equal(swwae_last_error(),
                        "architecture \"?[31m\": at character 1, byte 0x1B found, " LAYER0);
}

static void limits_the_length(void **state) {
    (void)state;
    struct notation n;
    char text[NOTATION_TEXT + 8], canonical[NOTATION_TEXT], expected[1024];
    memset(text, ' ', sizeof text);
    memcpy(text, "(64)5c-2p", 9);
    text[NOTATION_TEXT - 1] = 0;
    assert_int_equal(notation_parse(&n, text), SWWAE_OK);
    text[NOTATION_TEXT - 1] = ' ';
    text[NOTATION_TEXT] = 0;
    assert_int_equal(notation_parse(&n, text), SWWAE_E_NOTATION);
    snprintf(expected, sizeof expected,
             "architecture \"%.200s...\": at character 1024, more text found, expected at most "
             "1023 characters",
             text);
    assert_string_equal(swwae_last_error(), expected);

    /* the longest canonical text just fits */
    char *end = text;
    for (int s = 0; s < 9; s++) {
        for (int c = 0; c < 11; c++) end += sprintf(end, "(1000)3c-");
        end += sprintf(end, "16p-");
    }
    for (int c = 0; c < 10; c++) end += sprintf(end, "(100)1c-"); /* 927 so far */
    end += sprintf(end, "2p-100fc-65536fc");
    assert_int_equal(end - text, NOTATION_TEXT - 1);
    assert_int_equal(notation_parse(&n, text), SWWAE_OK);
    notation_print(canonical, &n);
    assert_string_equal(canonical, text);
}

/* Whatever the text: either it is read and survives a round trip, or there is a message. */
static void survives_random_texts(void **state) {
    (void)state;
    static const char alphabet[] = "(((()))135629cccppfc---- x\xff";
    struct rng rng = rng_stream(7, RNG_ORDER, 0);
    int read = 0;
    for (int i = 0; i < 100000; i++) {
        char text[64] = "(64)5c-2p-(64)3c-2p-10fc";
        size_t length = strlen(text);
        if (i % 2) { /* all random, else the valid text with some characters changed */
            length = (size_t)rng_below(&rng, 24);
            for (size_t k = 0; k < length; k++)
                text[k] = alphabet[rng_below(&rng, sizeof alphabet - 1)];
            text[length] = 0;
        } else {
            for (uint64_t k = 1 + rng_below(&rng, 3); k; k--)
                text[rng_below(&rng, length)] = alphabet[rng_below(&rng, sizeof alphabet - 1)];
        }
        struct notation n, again;
        swwae_status status = notation_parse(&n, text);
        if (status == SWWAE_OK) {
            char canonical[NOTATION_TEXT];
            notation_print(canonical, &n);
            assert_true(strlen(canonical) <= length);
            assert_int_equal(notation_parse(&again, canonical), SWWAE_OK);
            assert_memory_equal(&n, &again, sizeof n);
            read++;
        } else {
            size_t position = 0;
            assert_int_equal(status, SWWAE_E_NOTATION);
            const char *where = strstr(swwae_last_error(), "\": at character ");
            assert_non_null(where);
            assert_int_equal(sscanf(where, "\": at character %zu,", &position), 1);
            assert_in_range(position, 1, length + 1);
        }
    }
    assert_true(read > 100); /* both outcomes were exercised */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_prints_valid_texts),
        cmocka_unit_test(fills_every_field),
        cmocka_unit_test(names_every_fault),
        cmocka_unit_test(quotes_hostile_bytes_safely),
        cmocka_unit_test(limits_the_length),
        cmocka_unit_test(survives_random_texts),
    };
    return cmocka_run_group_tests_name("notation", tests, NULL, NULL);
}
