/* classify.c - loads a trained model and says what is on one image.
 *
 *   cc classify.c -o classify $(pkg-config --cflags --libs swwae)
 *   swwae train --data shapes --epochs 2
 *   ./classify runs/shapes-1 image.png
 */
#include <swwae.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    swwae_model *model = NULL;
    swwae_dataset *file = NULL;
    float *image = NULL, *probabilities = NULL;
    int channels, height, width, classes, best = 0, exit_status = 1;

    if (argc != 3) {
        fprintf(stderr, "usage: classify MODEL|RUN FILE.png\n");
        return 2;
    }
    if (swwae_model_load(&model, argv[1]) != SWWAE_OK) goto failed;
    /* Reads the file as the model wants it: channels converted, padded. PNG, JPEG, IDX, .npy. */
    if (swwae_dataset_open_files(&file, (const char *const *)&argv[2], 1, model) != SWWAE_OK)
        goto failed;

    swwae_dataset_image_size(file, &channels, &height, &width);
    classes = swwae_model_classes(model);
    image = calloc((size_t)channels * (size_t)height * (size_t)width, sizeof *image);
    probabilities = calloc((size_t)classes + 1, sizeof *probabilities);
    if (!image || !probabilities) {
        fprintf(stderr, "classify: out of memory\n");
        goto done;
    }
    if (swwae_dataset_image(file, 0, image) != SWWAE_OK) goto failed;
    if (swwae_model_predict(model, image, 1, probabilities) != SWWAE_OK) goto failed;

    for (int k = 1; k < classes; k++)
        if (probabilities[k] > probabilities[best]) best = k;
    printf("%s: %s (%.1f %%)\n", swwae_dataset_source(file, 0), swwae_model_class_name(model, best),
           100 * (double)probabilities[best]);
    exit_status = 0;
    goto done;

failed: /* every failure left one sentence behind */
    fprintf(stderr, "classify: %s\n", swwae_last_error());
done:
    free(probabilities);
    free(image);
    swwae_dataset_free(file);
    swwae_model_free(model);
    return exit_status;
}
