# Of all darts in the square, pi quarters land within the circle.
BEGIN {
    srand(seed)
    for (i = 0; i < darts; i++) {
        x = rand()
        y = rand()
        if (x * x + y * y < 1) hits++
    }
    printf "%.4f\n", 4 * hits / darts
}
