/* plot.h - plots drawn by gnuplot, where it is installed. */
#ifndef SWWAE_STUDY_PLOT_H
#define SWWAE_STUDY_PLOT_H

#include "study/study.h"

/* Writes NAME.gp into the study's folder and runs gnuplot on it, which leaves NAME.svg and NAME.png
 * (width x height pixels). body: gnuplot commands without comments, run once for each format; paths
 * in it are relative to the folder, which the script can be moved with. A study goes on without
 * gnuplot, and without a plot that gnuplot cannot draw: the user is told. */
swwae_status plot_draw(struct study *study, const char *name, const char *body, int width,
                       int height);

/* Colours that can be told apart by most eyes, by number (Okabe and Ito): "#0072B2". */
const char *plot_colour(int i);

#endif
