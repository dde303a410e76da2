/* Reads text from standard input and prints statistics: lines, words, word lengths, the most frequent words.
 *
 *     python -m ziglang cc -target wasm32-wasi -O2 -s examples/wordcount.c -o examples/wordcount.wasm
 *
 * The one optional argument is how many of the most frequent words to print (default 10).
 * Exit codes: 0, 1 when out of memory, 2 for a wrong argument.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 63
#define BUCKETS 4096

struct word {
    struct word *next;
    unsigned count;
    char text[];
};

struct statistics {
    unsigned long bytes, lines, words, distinct;
    double length_sum, length_squares;
};

static struct word *buckets[BUCKETS];

static unsigned hash(const char *text) {
    unsigned h = 2166136261u;
    for (; *text; text++) h = (h ^ (unsigned char)*text) * 16777619u;
    return h;
}

static struct word *new_word(const char *text, struct word *next) {
    size_t size = strlen(text) + 1;
    struct word *word = malloc(sizeof *word + size);
    if (!word) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    word->next = next;
    word->count = 0;
    memcpy(word->text, text, size);
    return word;
}

static void count_word(const char *text, struct statistics *statistics) {
    struct word **bucket = &buckets[hash(text) % BUCKETS], *word = *bucket;
    double length = (double)strlen(text);
    while (word && strcmp(word->text, text) != 0) word = word->next;
    if (!word) {
        word = *bucket = new_word(text, *bucket);
        statistics->distinct++;
    }
    word->count++;
    statistics->words++;
    statistics->length_sum += length;
    statistics->length_squares += length * length;
}

static void read_text(struct statistics *statistics) {
    char text[LONGEST + 1];
    size_t length = 0;
    int c;
    do {
        c = getchar();
        statistics->bytes += c != EOF;
        statistics->lines += c == '\n';
        if (c != EOF && (isalnum(c) || c >= 0x80)) {
            if (length < LONGEST) text[length++] = (char)tolower(c);
        } else if (length) {
            text[length] = '\0';
            count_word(text, statistics);
            length = 0;
        }
    } while (c != EOF);
}

/* More frequent words first, equally frequent ones in alphabetical order. */
static int by_frequency(const void *left, const void *right) {
    const struct word *a = *(struct word *const *)left, *b = *(struct word *const *)right;
    if (a->count != b->count) return a->count < b->count ? 1 : -1;
    return strcmp(a->text, b->text);
}

static struct word **sorted_words(unsigned long distinct) {
    struct word **words = calloc(distinct + 1, sizeof *words), **end = words;
    if (!words) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    for (int i = 0; i < BUCKETS; i++)
        for (struct word *word = buckets[i]; word; word = word->next) *end++ = word;
    qsort(words, distinct, sizeof *words, by_frequency);
    return words;
}

static void print_statistics(const struct statistics *s) {
    double mean = s->words ? s->length_sum / s->words : 0.0;
    double variance = s->words ? s->length_squares / s->words - mean * mean : 0.0;
    printf("%lu bytes, %lu lines, %lu words, %lu of them different\n", s->bytes, s->lines, s->words, s->distinct);
    printf("word length: mean %.3f, standard deviation %.3f\n", mean, sqrt(variance > 0.0 ? variance : 0.0));
}

static void print_most_frequent(const struct statistics *s, unsigned long limit) {
    struct word **words = sorted_words(s->distinct);
    for (unsigned long i = 0; i < limit && i < s->distinct; i++)
        printf("%6u %6.2f%%  %s\n", words[i]->count, 100.0 * words[i]->count / s->words, words[i]->text);
    free(words);
}

int main(int argc, char **argv) {
    struct statistics statistics = {0};
    char *end = "";
    unsigned long limit = argc > 1 ? strtoul(argv[1], &end, 10) : 10;
    if (argc > 2 || *end) {
        fprintf(stderr, "usage: wordcount [how many words to print] < text\n");
        return 2;
    }
    read_text(&statistics);
    print_statistics(&statistics);
    print_most_frequent(&statistics, limit);
    return 0;
}
