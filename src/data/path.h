/* path.h - small questions about the paths a user gives. */
#ifndef SWWAE_DATA_PATH_H
#define SWWAE_DATA_PATH_H

#include "base/status.h"

/* A formatted text the caller frees; NULL without memory. */
char *path_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Links are followed. */
bool path_is_folder(const char *path);
bool path_is_there(const char *path);

/* The last part of a folder's path ("data/mnist/" gives "mnist"); of its real path where that
 * says nothing ("." or ".."). Cut at 63 bytes. */
void path_folder_name(char name[64], const char *folder);

#endif
