/* linear.c - ridge regression by the normal equations and Cholesky's factorisation; see linear.h.
 *
 * The features are standardised, so the matrix is a correlation matrix plus the ridge: its
 * condition is at most features / ridge, far from what double precision loses. */
#include "study/linear.h"

#include <math.h>
#include <stdlib.h>

void linear_free(struct linear *linear) {
    free(linear->weights);
    free(linear->offset);
    *linear = (struct linear){0};
}

void linear_apply(double *out, const struct linear *linear, const float *x) {
    for (int t = 0; t < linear->targets; t++) out[t] = linear->offset[t];
    for (int f = 0; f < linear->features; f++)
        for (int t = 0; t < linear->targets; t++)
            out[t] += (double)x[f] * linear->weights[f * linear->targets + t];
}

/* Means and 1 / deviation of the columns of x (n, columns); 0 of one that does not change. */
static void moments(double *mean, double *scale, const float *x, size_t n, int columns) {
    for (int c = 0; c < columns; c++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < n; i++) sum += (double)x[i * (size_t)columns + (size_t)c];
        mean[c] = sum / (double)n;
        for (size_t i = 0; i < n; i++) {
            const double d = (double)x[i * (size_t)columns + (size_t)c] - mean[c];
            squares += d * d;
        }
        const double deviation = sqrt(squares / (double)n);
        if (scale) scale[c] = deviation > 1e-6 * (1e-6 + fabs(mean[c])) ? 1 / deviation : 0;
    }
}

/* a (size, size), of which the lower half is used, becomes its factor L with a = L L^T. */
static bool factor(double *a, int size) {
    for (int i = 0; i < size; i++)
        for (int j = 0; j <= i; j++) {
            double sum = a[i * size + j];
            for (int k = 0; k < j; k++) sum -= a[i * size + k] * a[j * size + k];
            if (i != j)
                a[i * size + j] = sum / a[j * size + j];
            else if (sum > 0)
                a[i * size + i] = sqrt(sum);
            else
                return false;
        }
    return true;
}

/* b (size, columns) becomes the solution of L L^T x = b. */
static void solve(double *b, const double *l, int size, int columns) {
    for (int c = 0; c < columns; c++) {
        for (int i = 0; i < size; i++) {
            for (int k = 0; k < i; k++) b[i * columns + c] -= l[i * size + k] * b[k * columns + c];
            b[i * columns + c] /= l[i * size + i];
        }
        for (int i = size - 1; i >= 0; i--) {
            for (int k = i + 1; k < size; k++)
                b[i * columns + c] -= l[k * size + i] * b[k * columns + c];
            b[i * columns + c] /= l[i * size + i];
        }
    }
}

/* Sums over the rows: matrix (F, F) of standardised features, right (F, T) with the targets. */
static void sum_rows(double *matrix, double *right, double *row, const float *x, const float *y,
                     const double *mean, const double *scale, const double *target_mean, size_t n,
                     int features, int targets) {
    for (size_t i = 0; i < n; i++) {
        const float *xi = x + i * (size_t)features, *yi = y + i * (size_t)targets;
        for (int f = 0; f < features; f++) row[f] = ((double)xi[f] - mean[f]) * scale[f];
        for (int f = 0; f < features; f++) {
            for (int g = 0; g <= f; g++) matrix[f * features + g] += row[f] * row[g];
            for (int t = 0; t < targets; t++)
                right[f * targets + t] += row[f] * ((double)yi[t] - target_mean[t]);
        }
    }
}

swwae_status linear_fit(struct linear *linear, const float *x, const float *y, size_t n,
                        int features, int targets, double ridge) {
    swwae_status status = SWWAE_OK;
    const size_t f_size = (size_t)features, t_size = (size_t)targets;
    struct linear made = {.features = features, .targets = targets};
    double *matrix = calloc(f_size * f_size, sizeof *matrix);
    double *mean = calloc(3 * f_size + t_size, sizeof *mean);
    made.weights = calloc(f_size * t_size, sizeof *made.weights);
    made.offset = calloc(t_size, sizeof *made.offset);
    CHECK(matrix && mean && made.weights && made.offset && n, SWWAE_E_MEMORY,
          "no memory for a linear map of %d features", features);
    double *scale = mean + features, *row = scale + features, *target_mean = row + features;
    moments(mean, scale, x, n, features);
    moments(target_mean, NULL, y, n, targets);
    sum_rows(matrix, made.weights, row, x, y, mean, scale, target_mean, n, features, targets);
    for (int f = 0; f < features; f++) matrix[f * features + f] += ridge * (double)n;
    CHECK(factor(matrix, features), SWWAE_E_NUMERIC,
          "the codes are not finite numbers, so nothing can be read out of them");
    solve(made.weights, matrix, features, targets);
    for (int t = 0; t < targets; t++) made.offset[t] = target_mean[t];
    for (int f = 0; f < features; f++)
        for (int t = 0; t < targets; t++) {
            double *w = &made.weights[f * targets + t];
            *w *= scale[f];
            made.offset[t] -= *w * mean[f];
        }
    *linear = made;
    made = (struct linear){0};
fail:
    linear_free(&made);
    free(matrix);
    free(mean);
    return status;
}
