/* notation.h - the paper's architecture language (section 4), "(64)5c-2p-(64)3c-2p-10fc".
 *
 *   network := stage ('-' stage)* ('-' fc)*
 *   stage   := conv ('-' conv)* '-' pool
 *   conv    := '(' maps ')' kernel 'c'    maps 1..4096, kernel odd 1..11
 *   pool    := size 'p'                   size 2..16
 *   fc      := units 'fc'                 units 1..65536
 *
 * "Same" padding and stride 1 for convolutions, stride = size for pools; ReLU after every
 * convolution and every fc layer but the last. White space between tokens is ignored. */
#ifndef SWWAE_MODEL_NOTATION_H
#define SWWAE_MODEL_NOTATION_H

#include "base/status.h"

#define NOTATION_STAGES 12
#define NOTATION_CONVS 12 /* a stage */
#define NOTATION_FCS 8
#define NOTATION_TEXT 1024

struct notation {
    int stages;
    struct {
        int convs;
        int maps[NOTATION_CONVS], kernel[NOTATION_CONVS];
        int pool;
    } stage[NOTATION_STAGES];
    int fcs;
    int units[NOTATION_FCS];
};

/* SWWAE_E_NOTATION on a fault; the message quotes the text, points at the character (1-based
 * position and a caret form "…at character 7, …") and says what was expected there. */
swwae_status notation_parse(struct notation *notation, const char *text);

/* The canonical text, without spaces. text[NOTATION_TEXT]. */
void notation_print(char *text, const struct notation *notation);

#endif
